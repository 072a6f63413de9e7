"""Where a request comes from; behind a reverse proxy, uvicorn has put in what the proxy says (X-Forwarded-For)."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

ClientAddress = NamedDependency[str]


def provide_client_address(request: Request[Any, Any, Any]) -> str:
    """The dependency ``client_address``: a network address, or nothing where there is none (a Unix socket)."""
    return request.client.host if request.client else ""
