"""The errors that each route may answer with, in the OpenAPI document: derived from what kind of route it is."""

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from streamweave_api.auth import OPEN_TO_ALL, SAFE_METHODS
from streamweave_api.bodies import Outgoing

DESCRIPTIONS = {
    400: "The request is malformed, or can't be met as things stand",
    401: "Nobody known asks",
    403: "Whoever asks is not entitled to this",
    404: "There is no such thing for whoever asks",
    409: "The catalog already holds something that forbids it",
    410: "It was withdrawn",
    412: "The content is not the one that If-Match names",
    413: "The body is too large",
    416: "The range lies beyond the end",
    422: "A field or parameter can't be accepted; the sentence begins with its name",
    429: "Too many attempts; Retry-After tells when to come back",
    502: "Dagster doesn't answer",
    503: "The catalog, or every copy of a file, is out of reach at present",
}

Errors = dict[int, ResponseSpec]


class ErrorBody(Outgoing):
    """The body of every error: a sentence for a person."""

    detail: str


def errors(*statuses: int) -> Errors:
    """What a handler names as ``responses`` when it may answer with more errors than its kind does."""
    return {
        status: ResponseSpec(ErrorBody, generate_examples=False, description=DESCRIPTIONS[status])
        for status in statuses
    }


class DocumentedErrors(ReceiveRoutePlugin):
    """Adds to each handler the errors of its kind. What the handler itself says goes before them."""

    def receive_route(self, route: BaseRoute) -> None:
        """Runs once for each path, before the document is made."""
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                handler.responses = {**errors(*_statuses(route, handler)), **(handler.responses or {})}


def _statuses(route: HTTPRoute, handler: HTTPRouteHandler) -> list[int]:
    statuses = [400, 422, 503]
    if not OPEN_TO_ALL.items() <= handler.opt.items():
        statuses += [401, 403]
    if route.path_parameters:
        statuses += [404]
    if not handler.http_methods <= set(SAFE_METHODS):
        statuses += [409, 413]
    return sorted(statuses)
