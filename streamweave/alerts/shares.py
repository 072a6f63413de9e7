"""Which shares fail, and at which nobody has looked for long."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.alerts.condition import Condition, Findings, about_instrument
from streamweave.alerts.looks import NOT_GOOD, Looks
from streamweave.catalog.tables import AlertKind, Scan, ScanOutcome, Schedule
from streamweave.errors import CredentialsRefused
from streamweave.instruments.schedules import longest_pause


def failing_shares(looks: Iterable[Looks]) -> Findings:
    """Shares that have failed for longer than the grace, refuse our password, or are not to be believed."""
    return Findings([condition for each in looks if (condition := _failing(each)) is not None])


def _failing(looks: Looks) -> Condition | None:
    last = looks.last
    if last is None or looks.last_is_good or not (_is_told_at_once(last) or _has_lasted(looks)):
        return None
    what = "is not to be believed" if last.outcome == ScanOutcome.SUSPECT else "can't be looked at"
    details = {"outcome": last.outcome, "error_kind": last.error_kind, "error_message": last.error_message}
    sentence = f"The share of {looks.instrument.name} {what}: {last.error_message}"
    return about_instrument(AlertKind.FAILING_SHARE, looks.instrument, sentence, details)


def _is_told_at_once(scan: Scan) -> bool:
    """What does not mend itself: a listing that lacks known files, and a password that is not tried for an hour."""
    return scan.outcome == ScanOutcome.SUSPECT or scan.error_kind == CredentialsRefused.kind()


def _has_lasted(looks: Looks) -> bool:
    return not looks.succeeded and looks.earlier is not None and looks.earlier.outcome in NOT_GOOD


def unwatched_shares(session: Session, looks: Sequence[Looks], now: datetime, watching_since: datetime) -> Findings:
    """Enabled instruments at whose share nobody has looked for too long, though we were here and could have.

    Where the last look has failed, that is what is told: after a refused password nobody looks for an hour.
    """
    crons = _crons(session)
    found = (_unwatched(each, crons, now, watching_since) for each in looks if each.last is None or each.last_is_good)
    return Findings([condition for condition in found if condition is not None])


def _unwatched(
    looks: Looks, crons: Mapping[uuid.UUID, Sequence[str]], now: datetime, watching_since: datetime
) -> Condition | None:
    instrument = looks.instrument
    seen_at = looks.last.finished_at if looks.last else None
    # it counts from when it was entered or enabled, and not while the whole system was down
    since = max(seen_at or instrument.created_at, instrument.updated_at, watching_since)
    longest = longest_pause(instrument, crons.get(instrument.id, ()), now)
    if now - since <= longest:
        return None
    told = f"since {seen_at:%Y-%m-%d %H:%M} UTC" if seen_at else "yet"
    sentence = (
        f"Nobody has looked at the share of {instrument.name} {told}; it should happen every "
        f"{longest.total_seconds() / 60:.0f} minutes at least: is its sensor in Dagster running?"
    )
    return about_instrument(
        AlertKind.UNWATCHED_SHARE, instrument, sentence, {"last_look": seen_at.isoformat() if seen_at else None}
    )


def _crons(session: Session) -> dict[uuid.UUID, list[str]]:
    crons: dict[uuid.UUID, list[str]] = defaultdict(list)
    enabled = select(Schedule.instrument_id, Schedule.cron_expression).where(
        Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    for instrument_id, cron in session.execute(enabled):
        crons[instrument_id].append(cron)
    return crons
