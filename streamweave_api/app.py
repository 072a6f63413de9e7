"""The service as one application. Building it touches neither network nor database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar import Litestar
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler

from streamweave.settings import Settings
from streamweave_api.auth import Authentication, provide_viewer
from streamweave_api.errors import EXCEPTION_HANDLERS
from streamweave_api.files.routes import files_router
from streamweave_api.health import health
from streamweave_api.hooks.routes import hooks_router
from streamweave_api.instruments.routes import instruments_router
from streamweave_api.pagination import provide_page
from streamweave_api.runs.routes import runs_router
from streamweave_api.schedules.routes import schedules_router
from streamweave_api.service import Service, service_of
from streamweave_api.service_accounts.routes import service_accounts_router
from streamweave_api.storage_locations.routes import storage_locations_router
from streamweave_api.transfers.routes import transfers_router
from streamweave_api.users.routes import users_router

LARGEST_BODY = 1024 * 1024
SCHEMA_PATH = "/schema"

ROUTERS: list[ControllerRouterHandler] = [
    health,
    users_router,
    instruments_router,
    service_accounts_router,
    storage_locations_router,
    schedules_router,
    hooks_router,
    files_router,
    transfers_router,
    runs_router,
]


def create_app(settings: Settings) -> Litestar:
    """The service that the settings describe. Raises ``StartError`` or ``SealBroken`` when they don't suffice."""
    service = service_of(settings)

    def provide_service() -> Service:
        return service

    return Litestar(
        route_handlers=ROUTERS,
        state=State({"service": service}),
        lifespan=[_running],
        dependencies={
            "service": Provide(provide_service, sync_to_thread=False),
            "viewer": Provide(provide_viewer, sync_to_thread=False),
            "page": Provide(provide_page, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(Authentication, exclude=[f"^{SCHEMA_PATH}"])],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=_openapi(),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.start()
    try:
        yield
    finally:
        await sync_to_thread(service.stop)


def _openapi() -> OpenAPIConfig:
    bearer = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
    return OpenAPIConfig(
        title="StreamWeave",
        version=version("streamweave"),
        path=SCHEMA_PATH,
        render_plugins=[SwaggerRenderPlugin()],
        components=Components(security_schemes={"token": bearer}),
        security=[{"token": []}],
    )
