"""Recording: what becomes of alerts is written down together with the messages that tell of it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.alerts.channels import Receiver
from streamweave.alerts.comparison import Comparison
from streamweave.alerts.condition import Condition
from streamweave.alerts.outbox import announce, announce_end
from streamweave.catalog.tables import Alert, AlertWatch

BREAK = timedelta(minutes=10)
"""After so long without an evaluation we were away, and what nobody has seen meanwhile is nobody's fault."""


def open_alerts(session: Session) -> Sequence[Alert]:
    """The alerts that are not over."""
    return session.scalars(select(Alert).where(Alert.ended_at.is_(None))).all()


def record(session: Session, comparison: Comparison, receivers: Collection[Receiver], now: datetime) -> None:
    """Write down what begins, goes on, goes away and ends."""
    for condition in comparison.begun:
        alert = _begun(condition, now)
        session.add(alert)
        session.flush()
        announce(session, alert, receivers, now)
    _go_on(comparison.ongoing, now)
    for alert in comparison.leaving:
        alert.away_since = now
    for alert in comparison.ended:
        alert.ended_at = alert.away_since
        announce_end(session, alert, receivers, now)


def _begun(condition: Condition, now: datetime) -> Alert:
    return Alert(
        kind=condition.kind,
        subject_type=condition.subject_type,
        subject_id=condition.subject_id,
        subject=condition.subject,
        sentence=condition.sentence,
        details=dict(condition.details),
        began_at=now,
        last_seen_at=now,
    )


def _go_on(ongoing: Iterable[tuple[Alert, Condition]], now: datetime) -> None:
    for alert, condition in ongoing:
        alert.subject, alert.sentence, alert.details = condition.subject, condition.sentence, dict(condition.details)
        alert.last_seen_at, alert.away_since = now, None


def watching_since(session: Session, now: datetime) -> datetime:
    """Since when the alerts are evaluated without a break; this evaluation is on record from now on."""
    watch = session.get(AlertWatch, True)
    if watch is None:
        watch = AlertWatch(evaluated_at=now, watching_since=now)
        session.add(watch)
    if now - watch.evaluated_at > BREAK:
        watch.watching_since = now
    watch.evaluated_at = now
    return watch.watching_since
