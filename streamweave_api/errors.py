"""From errors to responses: one table of statuses, and ``{"detail": "…"}`` as the body of every error."""

import logging
import re
from enum import Enum
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from streamweave.errors import (
    Conflict,
    CopyUnavailable,
    IdentifierPrivate,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    OrchestratorUnavailable,
    StreamWeaveError,
    TooBusy,
    TooManyAttempts,
)

logger = logging.getLogger(__name__)

Body = dict[str, str]

KNOWN: dict[type[Exception], tuple[int, str]] = {
    InvalidInput: (422, ""),
    NotFound: (404, ""),
    Conflict: (409, ""),
    NotAuthenticated: (401, "Unauthorized"),
    NotAllowed: (403, ""),
    IdentifierPrivate: (403, ""),
    CopyUnavailable: (503, ""),
    OrchestratorUnavailable: (502, ""),
    IntegrityError: (409, "Another request has just changed what this depends on"),
    DataError: (422, "A value can't be kept in the catalog"),
    OperationalError: (503, "The catalog can't be reached"),
    RecursionError: (400, "The body is nested too deeply"),  # msgspec's answer to JSON that is nested a thousandfold
    UnicodeDecodeError: (400, "The body is not UTF-8"),
    PoolTimeout: (503, "The catalog is too busy at the moment"),
}
"""The status of each error, and the sentence to answer with; empty where the error has one for users."""
INVALID_UUID, INVALID_WORD = "Invalid UUID", "Invalid enum value"
NO_BODY = "'data'"  # all that Litestar says when there is none
# parameters whose names are reserved words in handlers
PARAMETERS = {"in_state": "state", "search": "q"}
HEADERS: dict[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}}

_FIELD_AT_FAULT = re.compile(r"Object (?P<problem>contains unknown|missing required) field `(?P<field>.+)`")
_PROBLEMS = {"contains unknown": "unknown field", "missing required": "is required"}


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> Response[Body]:
    return Response({"detail": detail}, status_code=status, headers={**HEADERS.get(status, {}), **(headers or {})})


def known_error(_: Request[Any, Any, Any], error: Exception) -> Response[Body]:
    kind = next(kind for kind in type(error).__mro__ if kind in KNOWN)
    status, sentence = KNOWN[kind]
    if status >= 500:
        logger.warning("%s: %s", kind.__name__, error)
    return answer(status, sentence or str(error))


def retry_later(_: Request[Any, Any, Any], error: TooManyAttempts | TooBusy) -> Response[Body]:
    """When to retry is in a header as well (RFC 9110, section 10.2.3)."""
    status = 503 if isinstance(error, TooBusy) else 429
    return answer(status, str(error), {"Retry-After": str(error.retry_after_seconds)})


def invalid_request(request: Request[Any, Any, Any], error: ValidationException) -> Response[Body]:
    """A body or parameter of the wrong shape: the sentence begins with the field's name."""
    faults = error.extra if isinstance(error.extra, list) else []
    return answer(422, "; ".join(_fault(request, fault) for fault in faults) or error.detail)


def http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[Body]:
    """What Litestar refuses: unknown routes, wrong methods, malformed JSON, bodies that are too large."""
    return answer(error.status_code, error.detail, error.headers)


def unexpected_error(request: Request[Any, Any, Any], error: Exception) -> Response[Body]:
    """A fault of ours: the log says what happened, the answer doesn't."""
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(500, "Internal server error")


def _fault(request: Request[Any, Any, Any], fault: dict[str, str]) -> str:
    message, field = fault["message"], fault.get("key", "data")
    if found := _FIELD_AT_FAULT.search(message):
        within = "" if field == "data" else f"{field}."
        return f"{within}{found['field']}: {_PROBLEMS[found['problem']]}"
    if message == NO_BODY:
        return "a body is required: JSON, such as {}"
    if message == INVALID_UUID:
        message = "must be an id (a UUID)"
    elif message.startswith(INVALID_WORD) and (words := _words_of(request, field)):
        message = f"must be {' or '.join(words)}"
    return message if field == "data" else f"{PARAMETERS.get(field, field)}: {message}"


def _words_of(request: Request[Any, Any, Any], parameter: str) -> list[str]:
    """The words that a parameter of the request's operation takes; none for one that isn't an enumeration."""
    handler = request.route_handler
    provided = (each.parsed_fn_signature for each in handler.resolve_dependencies().values())
    fields = (each.parameters.get(parameter) for each in (handler.parsed_fn_signature, *provided))
    for field in filter(None, fields):
        for each in (field, *field.inner_types):
            if isinstance(each.annotation, type) and issubclass(each.annotation, Enum):
                return [str(member.value) for member in each.annotation]
    return []


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    **dict.fromkeys(KNOWN, known_error),
    TooManyAttempts: retry_later,
    TooBusy: retry_later,
    ValidationException: invalid_request,
    HTTPException: http_error,
    StreamWeaveError: unexpected_error,
    Exception: unexpected_error,
}
