"""Evaluating: find what is wrong, record which alerts begin and end, and send the messages about them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.alerts.channels import Channels, Receiver
from streamweave.alerts.conditions import Condition, Findings, Key, last_scans
from streamweave.alerts.deliver import Delivered, announce, announce_end, deliver_due
from streamweave.alerts.file_conditions import damaged_copies, failing_hooks, files_needing_attention
from streamweave.alerts.share_conditions import failing_shares, silent_instruments, unlisted_folders, unwatched_shares
from streamweave.alerts.storage_conditions import (
    Spaces,
    conflicting_journals,
    full_storage,
    posix_locations,
    refused_storage,
    space_at,
    unproven_storage,
)
from streamweave.catalog.session import try_lock_alerts
from streamweave.catalog.tables import Alert, AlertEvent, AlertWatch
from streamweave.facility import Facility
from streamweave.harvest.scan_record import end_dead_scans
from streamweave.printable import counted

ENDS_AFTER = timedelta(minutes=15)
"""So long a condition must be away: a share that fails now and then is one alert, and not a hundred mails."""
BREAK = timedelta(minutes=10)
"""After so long without an evaluation the system was down: no alert is about that time."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of the alerts (None: another process evaluates them), and of the messages about them."""

    comparison: "Comparison | None"
    delivered: Delivered

    def sentence(self) -> str:
        """The outcome for a person."""
        sentence, delivered = _sentence(self.comparison), self.delivered
        if delivered.arrived or delivered.failed:
            sentence += f"; {counted(delivered.arrived, 'message')} delivered, {delivered.failed} failed for now"
        return sentence


def evaluate_alerts(facility: Facility, channels: Channels) -> Evaluation:
    """Evaluate once, and send what is due; scans whose process is dead are ended first.

    While another process evaluates, messages are only sent.
    """
    end_dead_scans(facility.sessions)
    spaces, comparison = _spaces(facility), None
    with facility.sessions.begin() as session:
        if try_lock_alerts(session):
            now = facility.now()
            findings = what_is_wrong(session, spaces, now, watching_since(session, now))
            comparison = compare(open_alerts(session), findings, now)
            record(session, comparison, channels.receivers(session), now)
    return Evaluation(comparison, deliver_due(facility, channels))


def _sentence(comparison: "Comparison | None") -> str:
    if comparison is None:
        return "another process evaluates the alerts at this moment"
    new, known = len(comparison.begun), len(comparison.ongoing) + len(comparison.leaving) + len(comparison.waiting)
    return f"{counted(new + known, 'alert')} open: {new} new; {len(comparison.ended)} over"


def _spaces(facility: Facility) -> Spaces:
    """The space in each location that has a file system; no session is open while it is read."""
    with facility.sessions() as session:
        locations = posix_locations(session)
    return {location.id: space_at(location.base_path) for location in locations}


def what_is_wrong(session: Session, spaces: Spaces, now: datetime, watching_since: datetime) -> Findings:
    """All conditions, by a dozen queries to the catalog, each for all instruments at once."""
    scans = last_scans(session, now, watching_since)
    findings = Findings()
    for found in chain(
        files_needing_attention(session),
        failing_shares(scans),
        unwatched_shares(session, scans, now, watching_since),
        unlisted_folders(scans),
        silent_instruments(session, scans, now),
        damaged_copies(session),
        failing_hooks(session, now),
        full_storage(session, spaces, now),
        unproven_storage(session),
        refused_storage(session),
        conflicting_journals(session, now),
    ):
        if isinstance(found, Condition):
            findings.conditions.append(found)
        else:
            findings.unknown.add(found)
    return findings


@dataclass(slots=True)
class Comparison:
    """What becomes of alerts. ``leaving`` are open ones whose condition has just gone away.

    ``waiting`` are those that are away not long enough to end, and those of which nothing is known.
    """

    begun: list[Condition] = field(default_factory=list)
    ongoing: list[tuple[Alert, Condition]] = field(default_factory=list)
    leaving: list[Alert] = field(default_factory=list)
    waiting: list[Alert] = field(default_factory=list)
    ended: list[Alert] = field(default_factory=list)


def compare(open_alerts: Iterable[Alert], findings: Findings, now: datetime) -> Comparison:
    """Compare the findings with the open alerts. Each key has one condition, and one open alert, at most. Pure."""
    conditions = {condition.key: condition for condition in findings.conditions}
    comparison = Comparison()
    for alert in open_alerts:
        key = Key(alert.kind, alert.subject_id)
        condition = conditions.pop(key, None)
        if condition is not None:
            comparison.ongoing.append((alert, condition))
        elif key in findings.unknown:
            comparison.waiting.append(alert)
        elif alert.away_since is None:
            comparison.leaving.append(alert)
        elif now - alert.away_since >= ENDS_AFTER:
            comparison.ended.append(alert)
        else:
            comparison.waiting.append(alert)
    comparison.begun.extend(conditions.values())
    return comparison


def open_alerts(session: Session) -> Sequence[Alert]:
    return session.scalars(select(Alert).where(Alert.ended_at.is_(None))).all()


def record(session: Session, comparison: Comparison, receivers: Collection[Receiver], now: datetime) -> None:
    """Record what begins, continues, goes away and ends. The caller commits."""
    for condition in comparison.begun:
        alert = _begun(condition, now)
        session.add(alert)
        session.flush()
        announce(session, alert, AlertEvent.BEGIN, receivers, now)
    for alert, condition in comparison.ongoing:
        alert.subject, alert.sentence, alert.details = condition.subject, condition.sentence, dict(condition.details)
        alert.last_seen_at, alert.away_since = now, None
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
