"""The headers of answers, by what kind of answer it is."""

from typing import Any

Headers = dict[str, dict[str, Any]]

TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0}

LINK = {"Link": {"description": 'Where the next page is, with `rel="next"`; absent on the last one', "schema": TEXT}}
COUNT = {"X-Total-Count": {"description": "How many entries there are in all, with `count=true`", "schema": NUMBER}}
ALWAYS: dict[str, Headers] = {
    "401": {"WWW-Authenticate": {"description": "`Bearer`", "schema": TEXT}},
    "429": {"Retry-After": {"description": "After how many seconds to come back", "schema": NUMBER}},
    "503": {"Retry-After": {"description": "After how many seconds to come back, if known", "schema": NUMBER}},
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
