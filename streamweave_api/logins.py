"""Logging in and out: with a bearer token for programs, with cookies for browsers (RFC 6265).

The cookie of the login is not readable for scripts; the token against forged requests is, so that they can repeat it.
"""

from typing import Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie
from litestar.exceptions import ClientException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import URLEncodedBody

from streamweave.access.login import Attempt, log_in
from streamweave.access.tokens import claims_of, csrf_token, end_token, issue_token, sweep
from streamweave.catalog.tables import User
from streamweave.errors import NotAllowed, NotAuthenticated
from streamweave_api.auth import (
    CSRF_COOKIE,
    LOGIN_COOKIE,
    OPEN_TO_ALL,
    ClientAddress,
    Credential,
    ShownCredential,
    admin_only,
    login_only,
    not_for_reading_only,
)
from streamweave_api.bodies import Outgoing
from streamweave_api.openapi.answers import errors
from streamweave_api.service import Service, TheService, apart_for_passwords

SAME_SITE: Literal["lax"] = "lax"
COOKIES_ONLY = {204: ResponseSpec(None, description="Cookies are set, and nothing is said")}


class Login(msgspec.Struct):
    """The form of an OAuth 2 password grant (RFC 6749, section 4.3.2); its other fields don't matter here."""

    username: str
    password: str


class Token(Outgoing):
    """What to send as ``Authorization: Bearer …``."""

    access_token: str
    token_type: str = "bearer"


def login_cookies(token: str, csrf: str, lifetime_seconds: int, secure: bool) -> list[Cookie]:
    """The cookies of a login, which end with it."""
    return [
        Cookie(
            key=key,
            value=value,
            max_age=lifetime_seconds,
            path="/",
            secure=secure,
            httponly=httponly,
            samesite=SAME_SITE,
        )
        for key, value, httponly in ((LOGIN_COOKIE, token, True), (CSRF_COOKIE, csrf, False))
    ]


@post("/jwt/login", opt=OPEN_TO_ALL, status_code=200, responses=errors(429), summary="Log in")
async def log_in_for_token(service: TheService, data: URLEncodedBody[Login], client_address: ClientAddress) -> Token:
    """A token for an e-mail address (``username``) and a password."""
    return Token(access_token=await apart_for_passwords(_token, service, data, client_address))


@post(
    "/cookie/login",
    opt=OPEN_TO_ALL,
    status_code=204,
    responses={**COOKIES_ONLY, **errors(403, 429)},
    summary="Log in with a browser",
)
async def log_in_for_cookies(
    service: TheService, data: URLEncodedBody[Login], client_address: ClientAddress, request: Request[Any, Any, Any]
) -> Response[None]:
    """The same as cookies. Requests that change something must repeat ``streamweave_csrf`` as ``X-CSRF-Token``."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise NotAllowed("Another site's page can't log in here")
    token = await apart_for_passwords(_token, service, data, client_address)
    csrf = csrf_token(claims_of(token, service.secret_key), service.secret_key)
    cookies = login_cookies(token, csrf, service.settings.token_lifetime_seconds, service.settings.cookie_secure)
    return Response(None, status_code=204, cookies=cookies)


@post("/jwt/logout", sync_to_thread=True, status_code=204, guards=[login_only], summary="Log out")
def log_out_token(service: TheService, credential: ShownCredential) -> None:
    """End the token that is sent."""
    _end(service, credential)


@post(
    "/cookie/logout",
    sync_to_thread=True,
    status_code=204,
    guards=[login_only],
    responses=COOKIES_ONLY,
    summary="Log out with a browser",
)
def log_out_cookies(service: TheService, credential: ShownCredential) -> Response[None]:
    """End the login, and have the browser forget it."""
    _end(service, credential)
    response = Response(None, status_code=204)
    for key in (LOGIN_COOKIE, CSRF_COOKIE):
        response.delete_cookie(key, path="/")
    return response


@get(
    "/check-admin",
    sync_to_thread=False,
    status_code=204,
    guards=[not_for_reading_only, admin_only],
    summary="Check for an admin's login",
)
def check_admin() -> None:
    """For a reverse proxy, before it lets a user into Dagster's pages: 204 for an admin, else 401 or 403."""


def _token(service: Service, login: Login, client_address: str) -> str:
    try:
        attempt = Attempt(login.username, client_address)
        user: User = log_in(service.sessions, service.login_limits, attempt, login.password)
    except NotAuthenticated as error:
        raise ClientException("LOGIN_BAD_CREDENTIALS") from error
    return issue_token(user.id, service.secret_key, service.settings.token_lifetime_seconds, user.token_version)


def _end(service: Service, credential: Credential) -> None:
    with service.sessions.begin() as session:
        if credential.claims is not None:
            end_token(session, credential.claims)
        sweep(session)


logins_router = Router(
    "/auth",
    route_handlers=[log_in_for_token, log_in_for_cookies, log_out_token, log_out_cookies, check_admin],
    tags=["Logins"],
)
