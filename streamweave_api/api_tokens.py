"""The viewer's own API tokens. They are created with a login only: a token can't create its successor."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.access.tokens import api_tokens_of, create_api_token, delete_api_token
from streamweave_api.auth import Viewer, login_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


class NewApiToken(Incoming):
    """What a token is called, what it may do (``read`` or ``admin``), and when it ends."""

    name: str
    scope: str | UnsetType = UNSET
    expires_in_days: int | UnsetType = UNSET


class ApiTokenBody(Outgoing):
    """A token, without itself."""

    id: UUID
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class CreatedApiToken(ApiTokenBody, kw_only=True):
    """A token as it is shown once: send it as ``Authorization: Bearer swt_…``."""

    token: str


@get("/", sync_to_thread=True, summary="List one's API tokens")
def list_api_tokens(service: TheService, viewer: Viewer, page: PageAsked) -> Response[list[ApiTokenBody]]:
    """One's own tokens in order of creation."""
    return page.response(service.read(api_tokens_of, viewer, page), ApiTokenBody)


@post("/", sync_to_thread=True, guards=[login_only], summary="Create an API token")
def add_api_token(service: TheService, viewer: Viewer, data: JSONBody[NewApiToken]) -> CreatedApiToken:
    """A new token. It is shown now and never again. For reading and for 90 days, unless said otherwise."""
    token, text = service.write(create_api_token, viewer, given(data))
    return shown(token, CreatedApiToken, token=text)


@delete("/{token_id:uuid}", sync_to_thread=True, summary="End an API token")
def remove_api_token(service: TheService, viewer: Viewer, token_id: FromPath[UUID]) -> None:
    """End the token."""
    service.write(delete_api_token, viewer, token_id)


api_tokens_router = Router(
    "/api/tokens", route_handlers=[list_api_tokens, add_api_token, remove_api_token], tags=["API tokens"]
)
