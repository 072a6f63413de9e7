"""Authentication: the credentials of a request become a ``User``, and guards check what a route requires.

Credentials are a login's token as bearer or cookie, or an API token as bearer (RFC 6750). The client's address is what
X-Forwarded-For says behind a reverse proxy that the settings trust, by uvicorn; from other clients it is not read.
"""

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import HTTPScope

from streamweave.access.tokens import PREFIX, Claims, claims_of, csrf_token_matches, user_of_api_token, user_of_login
from streamweave.catalog.tables import TokenScope, User
from streamweave.errors import NotAllowed, NotAuthenticated
from streamweave_api.service import Service

Connection = ASGIConnection[Any, Any, Any, Any]
Viewer = NamedDependency[User]
MaybeViewer = NamedDependency[User | None]
ClientAddress = NamedDependency[str]

OPEN_TO_ALL = {"exclude_from_auth": True}
# without credentials ``viewer`` is None; wrong ones are refused all the same
LOGIN_OPTIONAL = {"login_optional": True}
# asked by POST only because the question is too long for an address: tokens for reading may
ONLY_READS = {"only_reads": True}

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CSRF_COOKIE = "streamweave_csrf"
CSRF_HEADER = "X-CSRF-Token"
LOGIN_COOKIE = "streamweave_login"


@dataclass(frozen=True, slots=True)
class Shown:
    """A token as it came, not checked yet."""

    token: str
    by_cookie: bool


@dataclass(frozen=True, slots=True)
class Credential:
    """What a user was recognised by: a login, which has ``claims``, or an API token, which has a ``scope``."""

    claims: Claims | None = None
    by_cookie: bool = False
    scope: TokenScope | None = None


ShownCredential = NamedDependency[Credential]


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


def shown_by(connection: Connection) -> Shown | None:
    """What the request shows. A bearer token goes before a cookie: a forged request can't carry one."""
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    if scheme:
        return Shown(token.strip() if scheme.lower() == "bearer" else "", by_cookie=False)
    cookie = connection.cookies.get(LOGIN_COOKIE)
    return Shown(cookie, by_cookie=True) if cookie else None


def recognise(service: Service, shown: Shown | None) -> tuple[User, Credential]:
    """Who shows that. Raises ``NotAuthenticated``."""
    if shown is None or not shown.token:
        raise NotAuthenticated("there is neither a bearer token nor a cookie")
    if shown.token.startswith(PREFIX) and not shown.by_cookie:
        user, scope = service.write(user_of_api_token, shown.token)
        return user, Credential(scope=scope)
    claims = claims_of(shown.token, service.secret_key)
    return service.read(user_of_login, claims), Credential(claims=claims, by_cookie=shown.by_cookie)


def provide_viewer(request: Request[User, Any, Any]) -> User:
    """The dependency ``viewer``: who asks; None where that is allowed."""
    return request.user


def provide_credential(request: Request[User, Credential, Any]) -> Credential:
    """The dependency ``credential``: what they were recognised by."""
    return request.auth


def provide_client_address(request: Request[Any, Any, Any]) -> str:
    """The dependency ``client_address``: a network address, or nothing where there is none (a Unix socket)."""
    return request.client.host if request.client else ""


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
