"""Who asks: a bearer token becomes a ``User``, and guards say what it takes to come in."""

from typing import Any

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult

from streamweave.catalog.tables import User
from streamweave.errors import NotAuthenticated
from streamweave.identity.tokens import user_id_of
from streamweave.identity.users import active_user
from streamweave_api.service import Service

Connection = ASGIConnection[Any, Any, Any, Any]
Viewer = NamedDependency[User]

OPEN_TO_ALL = {"exclude_from_auth": True}


class Authentication(AbstractAuthenticationMiddleware):
    """Every route asks for a token, unless its handler is marked with ``OPEN_TO_ALL``."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """The user, or ``NotAuthenticated``."""
        scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated("there is no bearer token")
        user = await sync_to_thread(_user_of, connection.app.state.service, token.strip())
        return AuthenticationResult(user=user, auth=token)


def _user_of(service: Service, token: str) -> User:
    user_id = user_id_of(token, service.secret_key)
    with service.sessions() as session:
        return active_user(session, user_id)


def provide_viewer(request: Request[User, Any, Any]) -> User:
    """The dependency ``viewer``: who asks."""
    return request.user


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """The guard of all management."""
    if not connection.user.is_admin:
        raise PermissionDeniedException("Admin access required")
