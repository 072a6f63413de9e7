"""The audit log, for admins; and the actor to whom the changes of a request are attributed."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, Router, get
from litestar.params import FromQuery, QueryParameter

from streamweave.access.audit import Actor, AuditFilter, acting, audit_log
from streamweave.catalog.tables import AuditAction
from streamweave_api.auth import admin_only
from streamweave_api.bodies import Outgoing
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

READING = frozenset({"GET", "HEAD", "OPTIONS"})
EntityType = Annotated[str | None, QueryParameter(max_length=63, description="A table's name, such as instruments")]
Since = Annotated[datetime | None, QueryParameter(description="Not before this time; UTC unless it says otherwise")]
Until = Annotated[datetime | None, QueryParameter(description="Before this time; UTC unless it says otherwise")]


class AuditEntryBody(Outgoing):
    """One change of one row: ``changes`` maps fields to ``{"before": …, "after": …}``; secrets are ``***``.

    ``entity_type`` is the table's name. Without an actor the user was not logged in.
    """

    id: UUID
    at: datetime
    actor_id: UUID | None
    actor_email: str | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]


async def note_actor(request: Request[Any, Any, Any]) -> None:
    """Runs before each handler. What only reads leaves nothing to record, and isn't slowed down by it."""
    user = request.scope.get("user")
    actor = Actor() if user is None else Actor(user.id, user.email)
    acting.set(None if request.method in READING else actor)


@get("/", sync_to_thread=True, summary="List changes")
def list_audit_log(
    service: TheService,
    page: PageAsked,
    entity_type: EntityType = None,
    entity_id: FromQuery[UUID | None] = None,
    actor_id: FromQuery[UUID | None] = None,
    action: FromQuery[AuditAction | None] = None,
    since: Since = None,
    until: Until = None,
) -> Response[list[AuditEntryBody]]:
    """Every change that was made through this service, newest first."""
    wanted = AuditFilter(entity_type, entity_id, actor_id, action, _with_zone(since), _with_zone(until))
    return page.response(service.read(audit_log, page, wanted), AuditEntryBody)


def _with_zone(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


audit_log_router = Router("/api/audit-log", route_handlers=[list_audit_log], guards=[admin_only], tags=["Audit log"])
