"""Authentication: the credentials of a request become a ``User``, and guards check what a route requires."""

from typing import Any, cast

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import HTTPScope

from streamweave.access.tokens import csrf_token_matches
from streamweave.catalog.tables import TokenScope, User
from streamweave.errors import NotAllowed, NotAuthenticated
from streamweave_api.credentials import Credential, recognise, shown_by

Connection = ASGIConnection[Any, Any, Any, Any]
Viewer = NamedDependency[User]
MaybeViewer = NamedDependency[User | None]
ShownCredential = NamedDependency[Credential]

OPEN_TO_ALL = {"exclude_from_auth": True}
# without credentials ``viewer`` is None; wrong ones are refused all the same
LOGIN_OPTIONAL = {"login_optional": True}
# asked by POST only because the question is too long for an address: tokens for reading may
ONLY_READS = {"only_reads": True}

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CSRF_COOKIE = "streamweave_csrf"
CSRF_HEADER = "X-CSRF-Token"


class Authentication(AbstractAuthenticationMiddleware):
    """Every route asks for credentials, unless its handler is marked with ``OPEN_TO_ALL`` or ``LOGIN_OPTIONAL``."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """The user and their ``Credential``. Raises ``NotAuthenticated`` or ``NotAllowed``."""
        shown, optional = shown_by(connection), "login_optional" in connection.route_handler.opt
        if shown is None and optional:
            return AuthenticationResult(user=None, auth=None)
        try:
            user, credential = await sync_to_thread(recognise, connection.app.state.service, shown)
        except NotAuthenticated:
            # a browser sends its cookie unasked: one that has expired must not close what is open to all
            if optional and shown is not None and shown.by_cookie:
                return AuthenticationResult(user=None, auth=None)
            raise
        if cast(HTTPScope, connection.scope)["method"] not in SAFE_METHODS:
            if "only_reads" not in connection.route_handler.opt:
                _check_scope(credential)
            _check_not_forged(connection, credential)
        return AuthenticationResult(user=user, auth=credential)


def provide_viewer(request: Request[User, Any, Any]) -> User:
    """The dependency ``viewer``: who asks; None where that is allowed."""
    return request.user


def provide_credential(request: Request[User, Credential, Any]) -> Credential:
    """The dependency ``credential``: what they were recognised by."""
    return request.auth


def admin_only(connection: Connection, _: BaseRouteHandler) -> None:
    """The guard of all management."""
    if not connection.user.is_admin:
        raise PermissionDeniedException("Admin access required")


def login_only(connection: Connection, _: BaseRouteHandler) -> None:
    """The guard of what a program must not do with a token that it was lent."""
    if connection.auth.claims is None:
        raise PermissionDeniedException("An API token can't be used for this: log in")


def not_for_reading_only(connection: Connection, _: BaseRouteHandler) -> None:
    """The guard of what asks with a safe method for the right to change things."""
    _check_scope(connection.auth)


def _check_not_forged(connection: Connection, credential: Credential) -> None:
    if credential.by_cookie and credential.claims is not None:
        shown, secret = connection.headers.get(CSRF_HEADER, ""), connection.app.state.service.secret_key
        if not csrf_token_matches(shown, credential.claims, secret):
            raise NotAllowed(f"The header {CSRF_HEADER} must repeat the cookie {CSRF_COOKIE} of this login")


def _check_scope(credential: Credential) -> None:
    if credential.scope == TokenScope.READ:
        raise NotAllowed("This token is for reading only")
