"""Registering, and who one is."""

from litestar import Router, get, post
from litestar.exceptions import ClientException
from litestar.params import JSONBody

from streamweave.errors import Conflict, NotAllowed
from streamweave.identity.registration import register_oneself
from streamweave_api.auth import OPEN_TO_ALL, Viewer
from streamweave_api.client_address import ClientAddress
from streamweave_api.openapi.errors import errors
from streamweave_api.service import TheService
from streamweave_api.users.schemas import Registration, UserBody, user_body


@post("/auth/register", sync_to_thread=True, opt=OPEN_TO_ALL, responses=errors(403, 429), summary="Register as a user")
def register_user(service: TheService, data: JSONBody[Registration], client_address: ClientAddress) -> UserBody:
    """A new user, who sees nothing until something is granted. Where registration is closed, admins make users."""
    if not service.registration_open:
        raise NotAllowed("Registration is closed: ask an admin for an account")
    try:
        limits = service.login_limits
        return user_body(register_oneself(service.sessions, limits, client_address, data.email, data.password))
    except Conflict as error:
        raise ClientException("REGISTER_USER_ALREADY_EXISTS") from error


@get("/users/me", sync_to_thread=False, summary="Who am I?")
def who_am_i(viewer: Viewer) -> UserBody:
    """Who the token or cookie belongs to."""
    return user_body(viewer)


users_router = Router("/", route_handlers=[register_user, who_am_i], tags=["Users"])
