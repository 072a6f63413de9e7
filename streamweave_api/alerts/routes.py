"""Alerts, for admins: what is or was wrong, who was told, and who is on it."""

from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from streamweave.alerts.alerts import AlertState, acknowledge, alert_by_id, alerts, deliveries_of, last_watch
from streamweave.alerts.channels import try_channels
from streamweave.catalog.tables import AlertKind
from streamweave_api.alerts.schemas import (
    Acknowledgement,
    AlertBody,
    AlertDeliveryBody,
    AlertTrial,
    AlertWatchBody,
    AlertWithDeliveries,
)
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import given, shown
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

Kind = Annotated[AlertKind | None, QueryParameter(description="Only alerts of this kind")]
State = Annotated[AlertState | None, QueryParameter(name="state", description="Only alerts that are open, or over")]
InstrumentId = Annotated[UUID | None, QueryParameter(description="Only alerts about this instrument")]

alert_body = partial(shown, body=AlertBody)


@get("/", sync_to_thread=True, summary="List alerts")
def list_alerts(
    service: TheService,
    page: PageAsked,
    request: Asked,
    kind: Kind = None,
    in_state: State = None,
    instrument_id: InstrumentId = None,
) -> Response[list[AlertBody]]:
    """What is wrong, the latest first, then what was wrong, the last that ended first."""
    with service.reading() as session:
        return listed(request, alerts(session, page, kind=kind, state=in_state, subject_id=instrument_id), alert_body)


@get("/watch", sync_to_thread=True, summary="Show whether anybody watches")
def show_watch(service: TheService) -> AlertWatchBody:
    """When the alerts were last evaluated. More than ten minutes ago: Dagster's daemon does not run, and nobody is told
    of anything.
    """
    with service.reading() as session:
        watch = last_watch(session)
    return AlertWatchBody(None, None) if watch is None else shown(watch, AlertWatchBody)


@get("/{alert_id:uuid}", sync_to_thread=True, summary="Show an alert")
def show_alert(service: TheService, alert_id: FromPath[UUID]) -> AlertWithDeliveries:
    """One alert, with the messages that tell of it."""
    with service.reading() as session:
        alert = alert_by_id(session, alert_id)
        deliveries = [shown(delivery, AlertDeliveryBody) for delivery in deliveries_of(session, alert)]
        body = alert_body(alert)
    fields = {field: getattr(body, field) for field in body.__struct_fields__}
    return AlertWithDeliveries(**fields, deliveries=deliveries)


@post("/{alert_id:uuid}/acknowledge", sync_to_thread=True, status_code=200, summary="Acknowledge an alert")
def acknowledge_alert(
    service: TheService, viewer: Viewer, alert_id: FromPath[UUID], data: JSONBody[Acknowledgement]
) -> AlertBody:
    """Tell the others that one is on it. The alert goes on until what it is about is over."""
    with service.sessions.begin() as session:
        return alert_body(acknowledge(session, viewer, alert_id, given(data)))


@post("/test", sync_to_thread=True, status_code=200, summary="Try the channels of alerts")
def try_alerts(service: TheService, viewer: Viewer) -> list[AlertTrial]:
    """Send a test message to everybody who would be told of an alert (of the notifications only to oneself), and tell
    how that went.
    """
    return [shown(trial, AlertTrial) for trial in try_channels(service.sessions, service.alert_channels, viewer)]


alerts_router = Router(
    "/api/alerts",
    route_handlers=[list_alerts, show_watch, show_alert, acknowledge_alert, try_alerts],
    guards=[admin_only],
    tags=["Alerts"],
)
