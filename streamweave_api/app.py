"""The service as one application. Building it touches neither network nor database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler

from streamweave.settings import Settings
from streamweave_api.access.routes import access_router
from streamweave_api.alerts.routes import alerts_router
from streamweave_api.answer_headers import complete_headers
from streamweave_api.api_tokens.routes import api_tokens_router
from streamweave_api.audit_log.acting import note_actor
from streamweave_api.audit_log.routes import audit_log_router
from streamweave_api.auth import Authentication, provide_credential, provide_viewer
from streamweave_api.bodies import body_is_understood
from streamweave_api.certificates.routes import certificates_router
from streamweave_api.client_address import provide_client_address
from streamweave_api.errors import EXCEPTION_HANDLERS
from streamweave_api.files.routes import files_router
from streamweave_api.fixity.routes import fixity_router
from streamweave_api.groups.routes import groups_router
from streamweave_api.health import health
from streamweave_api.hooks.routes import hooks_router
from streamweave_api.hooks.runs import hook_runs_router
from streamweave_api.identifiers.routes import identifiers_router
from streamweave_api.instrument_requests.routes import instrument_requests_router
from streamweave_api.instruments.routes import instruments_router
from streamweave_api.logins.routes import logins_router
from streamweave_api.notifications.routes import notifications_router
from streamweave_api.openapi.config import openapi_config
from streamweave_api.openapi.errors import DocumentedErrors
from streamweave_api.openapi.security import DocumentedSecurity
from streamweave_api.openapi.swagger import SCHEMA_PATH, front_door
from streamweave_api.pagination import no_parameter_is_repeated, provide_page
from streamweave_api.passwords.routes import passwords_router
from streamweave_api.projects.routes import projects_router
from streamweave_api.runs.routes import runs_router
from streamweave_api.schedules.routes import schedules_router
from streamweave_api.service import Service, service_of
from streamweave_api.service_accounts.routes import service_accounts_router
from streamweave_api.storage_locations.routes import storage_locations_router
from streamweave_api.summary.routes import summary
from streamweave_api.transfers.routes import transfers_router
from streamweave_api.users.management import user_management_router
from streamweave_api.users.routes import users_router

LARGEST_BODY = 1024 * 1024

ROUTERS: list[ControllerRouterHandler] = [
    front_door,
    health,
    logins_router,
    passwords_router,
    users_router,
    user_management_router,
    api_tokens_router,
    instruments_router,
    service_accounts_router,
    storage_locations_router,
    schedules_router,
    hooks_router,
    hook_runs_router,
    files_router,
    groups_router,
    projects_router,
    access_router,
    transfers_router,
    fixity_router,
    certificates_router,
    runs_router,
    summary,
    identifiers_router,
    instrument_requests_router,
    notifications_router,
    alerts_router,
    audit_log_router,
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
            "credential": Provide(provide_credential, sync_to_thread=False),
            "client_address": Provide(provide_client_address, sync_to_thread=False),
            "page": Provide(provide_page, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(Authentication, exclude=[f"^{SCHEMA_PATH}"])],
        guards=[body_is_understood, no_parameter_is_repeated],
        before_request=note_actor,
        before_send=[complete_headers],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=openapi_config(),
        plugins=[DocumentedErrors(), DocumentedSecurity()],
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
