"""Which instruments bring no new file for longer than is usual for them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from streamweave.alerts.condition import Condition, Findings, Key, about_instrument
from streamweave.alerts.looks import Looks
from streamweave.alerts.usual import HISTORY, SHORTEST, usual
from streamweave.catalog.tables import AlertKind, FileRecord, Instrument

# the last new file of each day: from one to the next by the index, however many files there are on a day
LAST_OF_EACH_DAY = text("""
WITH RECURSIVE hops (instrument_id, newest, midnight, at) AS (
    SELECT instrument_id, newest, midnight, newest
    FROM unnest(CAST(:ids AS uuid[]), CAST(:newest AS timestamptz[]), CAST(:midnights AS timestamptz[]))
        AS given (instrument_id, newest, midnight)
    UNION ALL
    SELECT instrument_id, newest, midnight, (
        SELECT max(first_discovered_at) FROM file_records
        WHERE file_records.instrument_id = hops.instrument_id
            AND first_discovered_at < date_bin('1 day', hops.at, hops.midnight)
            AND first_discovered_at >= hops.newest - CAST(:history AS interval)
    )
    FROM hops WHERE at IS NOT NULL
)
SELECT instrument_id, at FROM hops WHERE at IS NOT NULL
""")

Newest = Mapping[uuid.UUID, datetime]


def silent_instruments(session: Session, looks: Iterable[Looks], now: datetime) -> Findings:
    """Enabled instruments whose share is looked at, and brings nothing new. Of other shares nothing can be said."""
    findings = Findings()
    watched = []
    for each in looks:
        if each.last_is_good and each.seen_whole:
            watched.append(each.instrument)
        else:
            findings.unknown.add(Key(AlertKind.SILENT_INSTRUMENT, each.instrument.id))
    newest = _newest(session)
    findings.conditions += _silent_for_too_long(watched, newest, now)
    findings.conditions += _silent_for_longer_than_usual(session, watched, newest, now)
    return findings


def _silent_for_too_long(instruments: Iterable[Instrument], newest: Newest, now: datetime) -> Iterable[Condition]:
    """Where a person said how long that is; 0 says that it doesn't matter."""
    for instrument in instruments:
        limit = timedelta(seconds=instrument.silence_alert_after_seconds or 0)
        since = newest.get(instrument.id, instrument.created_at)
        if limit and now - since > limit:
            yield _condition(instrument, since, f"it is to be told after {limit}")


def _silent_for_longer_than_usual(
    session: Session, instruments: Iterable[Instrument], newest: Newest, now: datetime
) -> Iterable[Condition]:
    candidates = [
        each
        for each in instruments
        if each.silence_alert_after_seconds is None and each.id in newest and now - newest[each.id] > SHORTEST
    ]
    days = _days_with_new_files(session, candidates, newest)
    for instrument in candidates:
        zone, since = ZoneInfo(instrument.timezone), newest[instrument.id]
        learned = usual(days[instrument.id], zone)
        if learned is not None and learned.is_silent(since, now, zone):
            limit = f"more than {learned.working_days:g} working days are unusual for it"
            yield _condition(instrument, since, limit)


def _condition(instrument: Instrument, since: datetime, limit: str) -> Condition:
    sentence = f"{instrument.name} has brought no new file since {since:%Y-%m-%d %H:%M} UTC; {limit}"
    return about_instrument(AlertKind.SILENT_INSTRUMENT, instrument, sentence, {"since": since.isoformat()})


def _newest(session: Session) -> dict[uuid.UUID, datetime]:
    """When each instrument's newest file was first discovered."""
    newest = (
        select(FileRecord.first_discovered_at)
        .where(FileRecord.instrument_id == Instrument.id)
        .order_by(FileRecord.first_discovered_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(select(Instrument.id, newest).where(Instrument.enabled, Instrument.deleted_at.is_(None)))
    return {instrument_id: at for instrument_id, at in rows if at is not None}


def _days_with_new_files(
    session: Session, instruments: Sequence[Instrument], newest: Newest
) -> Mapping[uuid.UUID, Sequence[datetime]]:
    """A time on each of the days, by the clock on the instrument's wall as it went on the last of them."""
    days: dict[uuid.UUID, list[datetime]] = defaultdict(list)
    if instruments:
        given = {
            "ids": [each.id for each in instruments],
            "newest": [newest[each.id] for each in instruments],
            "midnights": [_midnight(newest[each.id], each.timezone) for each in instruments],
            "history": HISTORY,
        }
        for instrument_id, at in session.execute(LAST_OF_EACH_DAY, given):
            days[instrument_id].append(at)
    return days


def _midnight(at: datetime, timezone: str) -> datetime:
    return at.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
