"""A browser's login as cookies (RFC 6265).

The login itself is out of reach for scripts; the token against forged requests is for them to read and repeat.
"""

from typing import Any, Literal

from litestar import Response
from litestar.datastructures import Cookie

from streamweave_api.auth import CSRF_COOKIE
from streamweave_api.credentials import LOGIN_COOKIE

SAME_SITE: Literal["lax"] = "lax"


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


def without_login_cookies(response: Response[Any]) -> Response[Any]:
    """The response, which has the browser forget the login."""
    for key in (LOGIN_COOKIE, CSRF_COOKIE):
        response.delete_cookie(key, path="/")
    return response
