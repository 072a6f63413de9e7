"""The errors and headers of each response in the document, derived from the kind of route."""

from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from streamweave_api.auth import OPEN_TO_ALL, SAFE_METHODS
from streamweave_api.bodies import Outgoing

ERRORS: dict[int, tuple[str, str]] = {
    400: ("The request is malformed, or can't be met at present", "JSON is malformed: invalid character (byte 1)"),
    401: ("The credentials are missing or not valid", "Unauthorized"),
    403: ("The user is not entitled to this", "Admin access required"),
    404: ("It does not exist, or the user may not see it", "File not found"),
    409: (
        "The catalog already holds something that forbids it",
        "name: an instrument named Microscope 01 exists already",
    ),
    410: ("It was withdrawn", "This file was withdrawn: recorded with the wrong sample"),
    412: ("The content is not the one that If-Match names", "The file's content is not the one that If-Match names"),
    413: ("The body is too large", "Request Entity Too Large"),
    415: ("The body is of another type than is read here", "The body must be application/json"),
    416: ("The range lies beyond the end", "The range lies beyond the file's 23 bytes"),
    422: ("A field or parameter can't be accepted; the sentence begins with its name", "limit: Expected `int` <= 1000"),
    429: ("Too many attempts; Retry-After says when to retry", "Too many attempts: try again in 60 seconds"),
    502: ("Dagster doesn't answer", "Dagster doesn't answer at http://127.0.0.1:3000: All connection attempts failed"),
    503: ("The catalog, or every copy of a file, is out of reach at present", "The catalog can't be reached"),
}
"""By status: what it means, and an example of its sentence."""
# what is not found where the last parameter of a path has that name
NOUNS = {
    "account_id": "Service account",
    "alert_id": "Alert",
    "file_id": "File",
    "grant_id": "Grant",
    "group_id": "Group",
    "hold_id": "Hold",
    "hook_id": "Hook",
    "instrument_id": "Instrument",
    "location_id": "Storage location",
    "member_id": "Member",
    "name": "Identifier",
    "notification_id": "Notification",
    "number": "Version",
    "pending_id": "Pending grant",
    "project_id": "Project",
    "request_id": "Instrument request",
    "run_id": "Run",
    "schedule_id": "Schedule",
    "token_id": "API token",
    "transfer_id": "Transfer",
    "user_id": "User",
}

Errors = dict[int, ResponseSpec]

Headers = dict[str, dict[str, Any]]
TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0}
LINK = {"Link": {"description": 'Where the next page is, with `rel="next"`; absent on the last one', "schema": TEXT}}
COUNT = {"X-Total-Count": {"description": "How many entries there are in all, with `count=true`", "schema": NUMBER}}
ALWAYS: dict[str, Headers] = {
    "401": {"WWW-Authenticate": {"description": "`Bearer`", "schema": TEXT}},
    "429": {"Retry-After": {"description": "After how many seconds to retry", "schema": NUMBER}},
    "503": {"Retry-After": {"description": "After how many seconds to retry, if known", "schema": NUMBER}},
}
VALIDATORS: Headers = {
    "ETag": {"description": "The content's SHA-256, for If-None-Match, If-Match and If-Range", "schema": TEXT},
    "Repr-Digest": {"description": "The stored SHA-256, `sha-256=:…:` (RFC 9530)", "schema": TEXT},
    "Last-Modified": {"description": "When the instrument wrote it", "schema": TEXT},
    "Cache-Control": {"description": "`private, no-cache`", "schema": TEXT},
}
SENT: Headers = {
    "Content-Length": {"description": "The number of bytes that follow", "schema": NUMBER},
    "Content-Disposition": {"description": "`attachment` with the file's name (RFC 6266)", "schema": TEXT},
}
RANGES: Headers = {"Accept-Ranges": {"description": "`bytes`", "schema": TEXT}}
RANGE: Headers = {"Content-Range": {"description": "Which bytes of how many: `bytes 0-9/23`", "schema": TEXT}}
CONTENT: dict[str, Headers] = {
    "200": {**VALIDATORS, **SENT, **RANGES},
    "206": {**VALIDATORS, **SENT, **RANGES, **RANGE},
    "304": VALIDATORS,
    "416": {"Content-Range": {"description": "How many bytes there are: `bytes */23`", "schema": TEXT}},
}
NAMED: Headers = {
    "Link": {"description": "Citation, descriptions and content (Signposting)", "schema": TEXT},
    "Vary": {"description": "`Accept, Authorization, Cookie`", "schema": TEXT},
}
RESOLVER: dict[str, Headers] = {
    "200": NAMED,
    "303": {**NAMED, "Location": {"description": "Where the file is", "schema": TEXT}},
    "410": NAMED,
}
SET_COOKIE = {"description": "`streamweave_login` and `streamweave_csrf`, set or taken back", "schema": TEXT}
COOKIES: dict[str, Headers] = {"204": {"Set-Cookie": SET_COOKIE}}


class ErrorBody(Outgoing):
    """The body of every error: a sentence for a person."""

    detail: str


def errors(*statuses: int) -> Errors:
    """What a handler names as ``responses`` when it may answer with more errors than its kind does."""
    return {status: error(status) for status in statuses}


def error(status: int, detail: str | None = None) -> ResponseSpec:
    """An error in the document; ``detail`` is an example of its sentence."""
    meaning, usual = ERRORS[status]
    example = Example(summary=meaning, value={"detail": detail or usual})
    return ResponseSpec(ErrorBody, generate_examples=False, description=meaning, examples=[example])


class DocumentedErrors(ReceiveRoutePlugin):
    """Adds to each handler the errors of its kind. What the handler itself says goes before them."""

    def receive_route(self, route: BaseRoute) -> None:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                handler.responses = {**_of_kind(route, handler), **(handler.responses or {})}


def _of_kind(route: HTTPRoute, handler: HTTPRouteHandler) -> Errors:
    kind = errors(400, 422, 503)
    if not OPEN_TO_ALL.items() <= handler.opt.items():
        kind |= errors(401, 403)
    if route.path_parameters:
        kind[404] = error(404, f"{NOUNS.get(list(route.path_parameters)[-1], 'It')} not found")
    if not handler.http_methods <= set(SAFE_METHODS):
        kind |= errors(409, 413, 415)
    return dict(sorted(kind.items()))


def headers_of(path: str, operation: dict[str, Any], status: str) -> Headers:
    """The headers that an answer of that status may carry."""
    return {**ALWAYS.get(status, {}), **_of_path(path).get(status, {}), **_of_list(operation, status)}


def _of_path(path: str) -> dict[str, Headers]:
    if path.endswith("/content"):
        return CONTENT
    if path.startswith("/ark:"):
        return RESOLVER
    if path.startswith("/auth/cookie/"):
        return COOKIES
    return {"200": SENT} if path == "/api/files/archive" else {}


def _of_list(operation: dict[str, Any], status: str) -> Headers:
    parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
    link = LINK if status == "200" and "cursor" in parameters else {}
    return {**link, **COUNT} if status == "200" and "count" in parameters else link
