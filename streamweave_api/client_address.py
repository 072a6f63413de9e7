"""Where a request comes from.

Behind a reverse proxy that the settings trust, uvicorn has put in what the proxy says (X-Forwarded-For); what others
say in that header is not read.
"""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

ClientAddress = NamedDependency[str]


def provide_client_address(request: Request[Any, Any, Any]) -> str:
    """The dependency ``client_address``: a network address, or nothing where there is none (a Unix socket)."""
    return request.client.host if request.client else ""
