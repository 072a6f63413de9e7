"""The credentials of a request: a login's token as bearer or cookie, or an API token as bearer (RFC 6750).

And the client's address: behind a reverse proxy that the settings trust, uvicorn has put in what X-Forwarded-For says;
from other clients that header is not read.
"""

from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency

from streamweave.access.tokens import PREFIX, Claims, claims_of, user_of_api_token, user_of_login
from streamweave.catalog.tables import TokenScope, User
from streamweave.errors import NotAuthenticated
from streamweave_api.service import Service

LOGIN_COOKIE = "streamweave_login"

ClientAddress = NamedDependency[str]


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


def shown_by(connection: ASGIConnection[Any, Any, Any, Any]) -> Shown | None:
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
        with service.sessions.begin() as session:
            user, scope = user_of_api_token(session, shown.token)
        return user, Credential(scope=scope)
    claims = claims_of(shown.token, service.secret_key)
    with service.reading() as session:
        return user_of_login(session, claims), Credential(claims=claims, by_cookie=shown.by_cookie)


def provide_client_address(request: Request[Any, Any, Any]) -> str:
    """The dependency ``client_address``: a network address, or nothing where there is none (a Unix socket)."""
    return request.client.host if request.client else ""
