"""What people ask about alerts."""

import uuid
from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import Alert, AlertDelivery, AlertKind, AlertWatch
from streamweave.catalog.tables.alerts import end_or_never
from streamweave.errors import NotFound

_OPEN_FIRST = Order(end_or_never(Alert.ended_at), Alert.id, newest_first=True)


class AlertState(StrEnum):
    """Whether it is over."""

    OPEN = "open"
    ENDED = "ended"


def alerts(
    session: Session,
    request: PageRequest,
    *,
    kind: AlertKind | None = None,
    state: AlertState | None = None,
    subject_id: uuid.UUID | None = None,
) -> Page[Alert]:
    """Alerts: open ones first, the latest of them at the top, then the others, the last that ended at the top."""
    query = select(Alert)
    if kind is not None:
        query = query.where(Alert.kind == kind)
    if state is not None:
        query = query.where(Alert.ended_at.is_(None) if state == AlertState.OPEN else Alert.ended_at.is_not(None))
    if subject_id is not None:
        query = query.where(Alert.subject_id == subject_id)
    return page_of(session, query, _OPEN_FIRST, request, scope=f"{kind} {state} {subject_id}")


def alert_by_id(session: Session, alert_id: uuid.UUID) -> Alert:
    """Raises ``NotFound``."""
    alert = session.get(Alert, alert_id)
    if alert is None:
        raise NotFound("Alert")
    return alert


def deliveries_of(session: Session, alert: Alert) -> Sequence[AlertDelivery]:
    """Who is told of an alert, and how that goes."""
    of_it = select(AlertDelivery).where(AlertDelivery.alert_id == alert.id)
    return session.scalars(of_it.order_by(AlertDelivery.created_at, AlertDelivery.id)).all()


def last_watch(session: Session) -> AlertWatch | None:
    """When the alerts were last evaluated; None if that has never happened."""
    return session.get(AlertWatch, True)
