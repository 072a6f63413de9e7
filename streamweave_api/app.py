"""The service as one application. Building it touches neither network nor database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, get
from litestar.concurrency import sync_to_thread
from litestar.datastructures import MutableScopeHeaders, State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler, Message, Scope

from streamweave.settings import Settings
from streamweave_api.access import access_router
from streamweave_api.alerts import alerts_router
from streamweave_api.api_tokens import api_tokens_router
from streamweave_api.audit_log import audit_log_router, note_actor
from streamweave_api.auth import OPEN_TO_ALL, Authentication, provide_client_address, provide_credential, provide_viewer
from streamweave_api.bodies import body_is_understood
from streamweave_api.certificates import certificates_router
from streamweave_api.downloads import downloads_router
from streamweave_api.errors import EXCEPTION_HANDLERS
from streamweave_api.files import files_router
from streamweave_api.fixity import fixity_router
from streamweave_api.groups import groups_router, projects_router
from streamweave_api.hooks import hook_runs_router, hooks_router
from streamweave_api.identifiers import identifiers_router
from streamweave_api.instrument_requests import instrument_requests_router
from streamweave_api.instruments import instruments_router
from streamweave_api.logins import logins_router
from streamweave_api.notifications import notifications_router
from streamweave_api.openapi.answers import DocumentedErrors
from streamweave_api.openapi.document import DocumentedSecurity, openapi_config
from streamweave_api.openapi.swagger import SCHEMA_PATH, front_door
from streamweave_api.pagination import no_parameter_is_repeated, provide_page
from streamweave_api.passwords import passwords_router
from streamweave_api.runs import runs_router
from streamweave_api.schedules import schedules_router
from streamweave_api.service import Service, TheService, service_of
from streamweave_api.service_accounts import service_accounts_router
from streamweave_api.storage_locations import storage_locations_router
from streamweave_api.summary import summary
from streamweave_api.transfers import transfers_router
from streamweave_api.users import user_management_router, users_router

NOT_TO_BE_KEPT = "no-store"

PATIENCE_SECONDS = 5.0
LARGEST_BODY = 1024 * 1024


async def complete_headers(message: Message, _: Scope) -> None:
    """The hook before an answer is sent.

    Browsers must not guess types. Responses are for their user: what doesn't say how it may be cached is not cached,
    neither logins and tokens nor lists of files.
    """
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", NOT_TO_BE_KEPT)


@get("/health", opt=OPEN_TO_ALL, tags=["Health"], summary="Check the service's health")
async def health(service: TheService) -> dict[str, str]:
    """Answers when the catalog does; 503 when it doesn't within five seconds. Other requests don't hold it up."""
    if not await service.catalog_check.answers_within(PATIENCE_SECONDS):
        raise HTTPException(status_code=503, detail="The catalog does not answer in time")
    return {"status": "ok"}


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
    downloads_router,
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
