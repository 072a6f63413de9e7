"""Queries about alerts, and their acknowledgement. The caller commits."""

import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import change
from streamweave.catalog.tables import Alert, AlertDelivery, AlertKind, AlertWatch, User
from streamweave.catalog.tables.alerts import end_or_never
from streamweave.errors import Conflict, NotFound
from streamweave.validation import Rule, checked, optional, text

ACKNOWLEDGEMENT: dict[str, Rule] = {"note": optional(text(lines=True))}
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
    """The messages about an alert, and whether they arrived."""
    of_it = select(AlertDelivery).where(AlertDelivery.alert_id == alert.id)
    return session.scalars(of_it.order_by(AlertDelivery.created_at, AlertDelivery.id)).all()


def last_watch(session: Session) -> AlertWatch | None:
    """When the alerts were last evaluated; None if that has never happened."""
    return session.get(AlertWatch, True)


def acknowledge(session: Session, user: User, alert_id: uuid.UUID, values: Mapping[str, Any]) -> Alert:
    """Record that the user works on it, for the others to see; another user may take it over.

    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(ACKNOWLEDGEMENT, values)
    alert = alert_by_id(session, alert_id)
    if alert.ended_at is not None:
        raise Conflict("the alert is over: there is nothing left to do about it")
    acknowledged = {"acknowledged_at": func.statement_timestamp(), "acknowledged_by_id": user.id}
    return change(session, alert, {**acknowledged, "acknowledgement": fields.get("note")})
