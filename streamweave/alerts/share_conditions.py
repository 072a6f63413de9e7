"""Conditions of shares: they fail, are not scanned, hold folders that can't be listed, or bring no new files for longer
than is usual. What is in a folder that can't be listed is not seen, and not archived.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from streamweave.alerts.activity_baseline import HISTORY, SHORTEST, activity_baseline
from streamweave.alerts.conditions import NOT_GOOD, Condition, Finding, Key, LastScans, about_instrument
from streamweave.catalog.tables import AlertKind, FileRecord, Instrument, Scan, ScanOutcome, Schedule
from streamweave.errors import CredentialsRefused
from streamweave.harvest.scan_record import FOLDERS_IN_A_SENTENCE, unlisted_sentence
from streamweave.instruments.schedules import longest_pause

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


def failing_shares(scans: Iterable[LastScans]) -> Iterator[Condition]:
    """Shares that have failed for longer than the grace, refuse our password, or whose listing is implausible."""
    for each in scans:
        last = each.last
        if last is None or each.last_is_good or not (_is_urgent(last) or _has_lasted(each)):
            continue
        what = "is implausible" if last.outcome == ScanOutcome.SUSPECT else "can't be scanned"
        details = {"outcome": last.outcome, "error_kind": last.error_kind, "error_message": last.error_message}
        sentence = f"The share of {each.instrument.name} {what}: {last.error_message}"
        yield about_instrument(AlertKind.FAILING_SHARE, each.instrument, sentence, details)


def _is_urgent(scan: Scan) -> bool:
    """What lasts: a listing that lacks known files, and a refused password, which is not tried again for an hour."""
    return scan.outcome == ScanOutcome.SUSPECT or scan.error_kind == CredentialsRefused.kind()


def _has_lasted(scans: LastScans) -> bool:
    return not scans.succeeded and scans.earlier is not None and scans.earlier.outcome in NOT_GOOD


def unwatched_shares(
    session: Session, scans: Iterable[LastScans], now: datetime, watching_since: datetime
) -> Iterator[Condition]:
    """Enabled instruments whose share was not scanned for too long, although the system was running.

    A share whose last scan failed has that condition instead: after a refused password there is no scan for an hour.
    """
    crons = _crons(session)
    for each in scans:
        if each.last is not None and not each.last_is_good:
            continue
        instrument, seen_at = each.instrument, each.last.finished_at if each.last else None
        # it counts from when it was entered or enabled, and not while the whole system was down
        since = max(seen_at or instrument.created_at, instrument.updated_at, watching_since)
        longest = longest_pause(instrument, crons.get(instrument.id, ()), now)
        if now - since > longest:
            when = f"since {seen_at:%Y-%m-%d %H:%M} UTC" if seen_at else "yet"
            sentence = (
                f"The share of {instrument.name} has not been scanned {when}; it should be every "
                f"{longest.total_seconds() / 60:.0f} minutes at least: is its sensor in Dagster running?"
            )
            details = {"last_look": seen_at.isoformat() if seen_at else None}
            yield about_instrument(AlertKind.UNWATCHED_SHARE, instrument, sentence, details)


def _crons(session: Session) -> dict[uuid.UUID, list[str]]:
    crons: dict[uuid.UUID, list[str]] = defaultdict(list)
    enabled = select(Schedule.instrument_id, Schedule.cron_expression).where(
        Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    for instrument_id, cron in session.execute(enabled):
        crons[instrument_id].append(cron)
    return crons


def silent_instruments(session: Session, scans: Iterable[LastScans], now: datetime) -> Iterator[Finding]:
    """Enabled instruments whose share is scanned, and brings nothing new. Of other shares that is unknown."""
    watched = []
    for each in scans:
        if each.last_is_good and each.seen_whole:
            watched.append(each.instrument)
        else:
            yield Key(AlertKind.SILENT_INSTRUMENT, each.instrument.id)
    newest = _newest(session)
    yield from _silent_for_too_long(watched, newest, now)
    yield from _silent_for_longer_than_usual(session, watched, newest, now)


def _silent_for_too_long(instruments: Iterable[Instrument], newest: Newest, now: datetime) -> Iterable[Condition]:
    """By the limit that an admin has set; 0 means none."""
    for instrument in instruments:
        limit = timedelta(seconds=instrument.silence_alert_after_seconds or 0)
        since = newest.get(instrument.id, instrument.created_at)
        if limit and now - since > limit:
            yield _silence(instrument, since, f"its limit is {limit}")


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
        learned = activity_baseline(days[instrument.id], zone)
        if learned is not None and learned.is_silent(since, now, zone):
            limit = f"more than {learned.working_days:g} working days are unusual for it"
            yield _silence(instrument, since, limit)


def _silence(instrument: Instrument, since: datetime, limit: str) -> Condition:
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
    """A time on each day with new files. Days are in local time, with the UTC offset of the last of them."""
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


def unlisted_folders(scans: Iterable[LastScans]) -> Iterator[Condition]:
    """One condition for each share of which folders could not be listed for longer than the grace."""
    for each in scans:
        last = each.last_whole
        if last is None or each.saw_every_folder or not (_lacks_folders(last) and _lacks_folders(each.earlier_whole)):
            continue
        folders = unlisted_sentence(last.unreadable_folders, last.folders_not_listed)
        first = dict(sorted(last.folders_not_listed.items())[:FOLDERS_IN_A_SENTENCE])
        details = {"scan_id": str(last.id), "unreadable_folders": last.unreadable_folders, "first": first}
        sentence = f"On the share of {each.instrument.name} {folders}"
        yield about_instrument(AlertKind.UNLISTED_FOLDERS, each.instrument, sentence, details)


def _lacks_folders(scan: Scan | None) -> bool:
    return scan is not None and scan.unreadable_folders > 0
