"""Lists over HTTP: ``limit`` and ``cursor`` come in, a JSON array and a ``Link`` to the next page go out (RFC 8288)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from streamweave.catalog.pages import Page, PageRequest
from streamweave.errors import InvalidInput
from streamweave_api.bodies import Body, shown

Asked = Request[Any, Any, Any]

WHICH_PART = ("limit", "cursor", "count")

Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many entries at most")]
Cursor = Annotated[str | None, QueryParameter(description="Where to continue, from the Link of the page before")]


def no_parameter_is_repeated(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """The guard of query parameters: which of two values would count is not defined."""
    uses = Counter(name for name, _ in connection.query_params.multi_items())
    for name, number in uses.items():
        if number > 1:
            raise InvalidInput(name, "must be given only once")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedPage(PageRequest):
    """The part of a list that a request asks for."""

    request: Asked

    def response(self, page: Page[Any], body: type[Body] | Callable[[Any], Body]) -> Response[list[Body]]:
        """The page's rows, each as a ``body`` or as what that makes of it, and where the next page is."""
        bodies = [shown(row, body) if isinstance(body, type) else body(row) for row in page.rows]
        cursor = page.next_cursor
        headers = {} if cursor is None else {"Link": f'<{_address(self.request, cursor)}>; rel="next"'}
        return Response(bodies, headers=headers)


PageAsked = NamedDependency[RequestedPage]


def provide_page(request: Asked, limit: Limit = 100, cursor: Cursor = None) -> RequestedPage:
    """The dependency ``page``: which part of the list is asked for."""
    return RequestedPage(limit, cursor, _scope(request), request=request)


def _scope(request: Asked) -> str:
    """Who asks, where, and with which filters: with another of them it is another list."""
    filters = [(name, value) for name, value in request.query_params.multi_items() if name not in WHICH_PART]
    return f"{request.user.id} {request.url.path.rstrip('/')} {sorted(filters)}"


def _address(request: Asked, cursor: str) -> str:
    """Relative to the host: behind a reverse proxy we don't know what it is called."""
    filters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*filters, ('cursor', cursor)])}"
