"""The document as it is served: Litestar's, completed with schemas, examples, headers, credentials and descriptions."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, OpenAPI, SecurityRequirement, SecurityScheme, Tag
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from msgspec import Struct

from streamweave_api.auth import (
    CSRF_COOKIE,
    CSRF_HEADER,
    LOGIN_COOKIE,
    LOGIN_OPTIONAL,
    OPEN_TO_ALL,
    SAFE_METHODS,
    login_only,
)
from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.logins import Login
from streamweave_api.openapi.answers import headers_of
from streamweave_api.openapi.examples import with_examples
from streamweave_api.openapi.schemas import described, with_descriptions, with_rules
from streamweave_api.openapi.swagger import SwaggerPage, schema_router

Part = dict[str, Any]

RECORD, LINKED_DATA = "text/plain", "application/ld+json"

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
DESCRIPTIONS = {
    "Health": "Whether the service can do its work.",
    "Logins": "Logging in and out: with a bearer token for programs, with cookies for browsers.",
    "Passwords": "New passwords, and what is sent by mail to get them.",
    "Users": "Registering, who one is, and, for admins, everybody.",
    "API tokens": "Personal tokens for programs: shown once, and ended by themselves after a while.",
    "Instruments": "Where files come from: shares, how long files settle there, and the outcomes of their scans.",
    "Service accounts": "What the instruments' shares are read with. A password goes in and never comes out.",
    "Storage locations": "Where archived versions go.",
    "Schedules": "When an instrument is harvested, and into which storage location.",
    "Hooks": "Configured steps before a transfer (filters) and after it (metadata, access), built in or others'.",
    "Runs": "How a harvest that was triggered is getting on, in Dagster's words.",
    "Files": "The catalog: every file that was ever found, its versions, its history, and its content.",
    "Transfers": "Each attempt to bring a version to a storage location, with its proof.",
    "Fixity": "Re-readings of the archive: what was found damaged, how it was repaired, and what waits for a person.",
    "Certificates": "May this be deleted at the source? Safe with the proof, or every reason why not; signed.",
    "Summary": "What a dashboard draws from.",
    "Identifiers": "The resolver of ARKs: citation, description and place of what they name.",
    "Access": "Who may see which files: grants on files, instruments and folders, owners, and what waits for a name.",
    "Groups": "Users who may see the same.",
    "Projects": "Users and whole groups who work on the same.",
    "Instrument requests": "Everyone may ask for an instrument, admins decide.",
    "Notifications": "The viewer's own notifications.",
    "Alerts": "What is or was wrong, who was notified, and who is working on it.",
    "Audit log": "Every change that was made, by whom, with the values before and after. It can't be changed.",
}
TAGS = [Tag(name=name, description=description) for name, description in DESCRIPTIONS.items()]
DESCRIPTION = """\
Finds every new file of a facility's instruments, proves its copy, and lets the right people find and fetch it.

- Lists are JSON arrays in pages: `limit` entries, and `Link: <…>; rel="next"` to the next page.
- Every error is `{"detail": "…"}`, a sentence for a person.
- What one may not see is 404, and is absent from every list, count and search.
- Times are in UTC, sizes in bytes. A field that is left out of a change stays as it is.
"""


class Document(OpenAPI):
    """Litestar's document, which completes itself when it is written down."""

    def to_schema(self) -> Part:
        """The whole document."""
        return completed(super().to_schema())


def completed(document: Part) -> Part:
    """The document with what fields take, examples, headers, and descriptions."""
    paths = {
        path: {method: _operation(path, operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    schemas = with_descriptions(with_rules(document["components"]["schemas"]), _bodies())
    return {**document, "paths": paths, "components": {**document["components"], "schemas": schemas}}


def _operation(path: str, operation: Part) -> Part:
    done = dict(operation)
    if "parameters" in done:
        done["parameters"] = [described(parameter) for parameter in done["parameters"]]
    if "requestBody" in done:
        done["requestBody"] = {**done["requestBody"], "content": _content(done["requestBody"]["content"])}
    done["responses"] = {
        status: _response(path, operation, status, response) for status, response in done["responses"].items()
    }
    return done


def _response(path: str, operation: Part, status: str, response: Part) -> Part:
    headers = {**response.get("headers", {}), **headers_of(path, operation, status)}
    content = {"content": _content(response["content"])} if "content" in response else {}
    return {**response, "headers": headers, **content}


def _content(content: Part) -> Part:
    if RECORD in content:
        content = {**content, LINKED_DATA: {"schema": {"type": "object"}}}  # what the resolver offers beside it
    return {media_type: with_examples(media_type, each) for media_type, each in content.items()}


def _bodies() -> Iterator[type[Struct]]:
    """Every body that goes in or out."""
    yield Login
    for kind in (Incoming, Outgoing):
        yield from _below(kind)


def _below(kind: type[Struct]) -> Iterator[type[Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


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


class DocumentConfig(OpenAPIConfig):
    """The document, made by Litestar and completed by us."""

    def to_openapi_schema(self) -> OpenAPI:
        """The document without its paths, which Litestar fills in."""
        made = super().to_openapi_schema()
        return Document(info=made.info, servers=made.servers, components=made.components, tags=made.tags, paths={})


def openapi_config() -> OpenAPIConfig:
    """What the application is given."""
    return DocumentConfig(
        title="StreamWeave",
        version=version("streamweave"),
        description=DESCRIPTION,
        tags=TAGS,
        use_handler_docstrings=True,
        openapi_router=schema_router(),
        render_plugins=[SwaggerPage()],
        components=Components(security_schemes=dict(SCHEMES)),
    )
