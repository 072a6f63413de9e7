"""Alerts, for admins: what is or was wrong, who was notified, and who is working on it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from streamweave.alerts.alerts import AlertState, acknowledge, alert_by_id, alerts, deliveries_of, last_watch
from streamweave.alerts.channels import try_channels
from streamweave.catalog.tables import AlertKind
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

Kind = Annotated[AlertKind | None, QueryParameter(description="Only alerts of this kind")]
State = Annotated[AlertState | None, QueryParameter(name="state", description="Only alerts that are open, or over")]
InstrumentId = Annotated[UUID | None, QueryParameter(description="Only alerts about this instrument")]


class AlertBody(Outgoing, kw_only=True):
    """Something that is or was wrong with an instrument or a storage location: ``subject_type`` is its table's name.

    ``sentence`` and ``details`` say what, as it was when it was last seen. An alert without ``ended_at`` is open; with
    ``away_since`` its condition is gone at the moment, and it ends if that stays so.
    """

    id: UUID
    kind: str
    subject_type: str
    subject_id: UUID
    subject: str
    sentence: str
    details: dict[str, Any]
    began_at: datetime
    last_seen_at: datetime
    away_since: datetime | None
    ended_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by_id: UUID | None
    acknowledgement: str | None


class AlertDeliveryBody(Outgoing):
    """One message to one receiver: ``event`` is begin or end, ``status`` waiting, delivered or dropped.

    ``receiver`` is a user's id, a mail address, or the word webhook. ``detail`` says why the last attempt failed, or
    why the message was dropped.
    """

    id: UUID
    event: str
    channel: str
    receiver: str
    status: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    detail: str | None


class AlertWithDeliveries(AlertBody, kw_only=True):
    """An alert, and who is notified of it."""

    deliveries: list[AlertDeliveryBody]


class Acknowledgement(Incoming):
    """That the user is working on it; ``note`` says how."""

    note: str | UnsetType | None = UNSET


class AlertWatchBody(Outgoing):
    """When the alerts were last evaluated, and since when without a break; null if never."""

    evaluated_at: datetime | None
    watching_since: datetime | None


class AlertTrial(Outgoing):
    """How a test message went; without a ``receiver`` the channel isn't set up, and ``detail`` says what is missing."""

    channel: str
    receiver: str
    ok: bool
    detail: str | None


@get("/", sync_to_thread=True, summary="List alerts")
def list_alerts(
    service: TheService, page: PageAsked, kind: Kind = None, in_state: State = None, instrument_id: InstrumentId = None
) -> Response[list[AlertBody]]:
    """What is wrong, the latest first, then what was wrong, the last that ended first."""
    return page.response(service.read(alerts, page, kind=kind, state=in_state, subject_id=instrument_id), AlertBody)


@get("/watch", sync_to_thread=True, summary="Show when alerts were last evaluated")
def show_watch(service: TheService) -> AlertWatchBody:
    """When the alerts were last evaluated. More than ten minutes ago: Dagster's daemon does not run, and no alerts
    are sent.
    """
    watch = service.read(last_watch)
    return AlertWatchBody(None, None) if watch is None else shown(watch, AlertWatchBody)


@get("/{alert_id:uuid}", sync_to_thread=True, summary="Show an alert")
def show_alert(service: TheService, alert_id: FromPath[UUID]) -> AlertWithDeliveries:
    """One alert, with the messages about it."""
    with service.reading() as session:
        alert = alert_by_id(session, alert_id)
        deliveries = [shown(delivery, AlertDeliveryBody) for delivery in deliveries_of(session, alert)]
        return shown(alert, AlertWithDeliveries, deliveries=deliveries)


@post("/{alert_id:uuid}/acknowledge", sync_to_thread=True, status_code=200, summary="Acknowledge an alert")
def acknowledge_alert(
    service: TheService, viewer: Viewer, alert_id: FromPath[UUID], data: JSONBody[Acknowledgement]
) -> AlertBody:
    """Record that one is working on it. The alert continues until its condition is over."""
    return shown(service.write(acknowledge, viewer, alert_id, given(data)), AlertBody)


@post("/test", sync_to_thread=True, status_code=200, summary="Test the channels of alerts")
def try_alerts(service: TheService, viewer: Viewer) -> list[AlertTrial]:
    """Send a test message to all receivers of alerts (the notification only to oneself), and return the results."""
    return [shown(trial, AlertTrial) for trial in try_channels(service.sessions, service.alert_channels, viewer)]


alerts_router = Router(
    "/api/alerts",
    route_handlers=[list_alerts, show_watch, show_alert, acknowledge_alert, try_alerts],
    guards=[admin_only],
    tags=["Alerts"],
)
