"""What each route asks for by way of credentials, in the OpenAPI document."""

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import SecurityRequirement, SecurityScheme
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from streamweave_api.auth import CSRF_COOKIE, CSRF_HEADER, LOGIN_OPTIONAL, OPEN_TO_ALL, SAFE_METHODS, login_only
from streamweave_api.credentials import LOGIN_COOKIE

SCHEMES = {
    "login": SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="JWT",
        description="The `access_token` of `POST /auth/jwt/login`, as `Authorization: Bearer …`.",
    ),
    "api_token": SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="swt_…",
        description="A personal token of `POST /api/tokens`, for programs: `Authorization: Bearer swt_…`.",
    ),
    "cookie": SecurityScheme(
        type="apiKey",
        name=LOGIN_COOKIE,
        security_scheme_in="cookie",
        description="The cookie of `POST /auth/cookie/login`, for browsers.",
    ),
    "csrf": SecurityScheme(
        type="apiKey",
        name=CSRF_HEADER,
        security_scheme_in="header",
        description=f"The value of the cookie `{CSRF_COOKIE}`: needed beside the login's cookie to change something.",
    ),
}
NOTHING: SecurityRequirement = {}
LOGIN: SecurityRequirement = {"login": []}
API_TOKEN: SecurityRequirement = {"api_token": []}
COOKIE: SecurityRequirement = {"cookie": []}
COOKIE_TO_CHANGE: SecurityRequirement = {"cookie": [], "csrf": []}


class DocumentedSecurity(ReceiveRoutePlugin):
    """Says of each handler which credentials it takes."""

    def receive_route(self, route: BaseRoute) -> None:
        """Runs once for each path, before the document is made."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                handler.security = requirements(handler)


def requirements(handler: HTTPRouteHandler) -> list[SecurityRequirement]:
    """Any one of these is enough to be known."""
    if OPEN_TO_ALL.items() <= handler.opt.items():
        return [NOTHING]
    known = [LOGIN, COOKIE if handler.http_methods <= set(SAFE_METHODS) else COOKIE_TO_CHANGE]
    if login_only not in (handler.guards or []):
        known.append(API_TOKEN)
    return [NOTHING, *known] if LOGIN_OPTIONAL.items() <= handler.opt.items() else known
