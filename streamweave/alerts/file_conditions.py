"""Conditions of an instrument's files: overdue, failed, unreadable, with damaged copies, or with hooks that fail.

A file that vanished before it was archived is none of them: it can't be brought back, so the alert would never end.
Each harvest asks the hooks again; what has lasted for an hour will probably not resolve without help.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.alerts.conditions import Condition, about_instrument
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import (
    AlertKind,
    FileRecord,
    FileVersion,
    Instrument,
    StorageLocation,
    Transfer,
    VersionState,
)
from streamweave.catalog.tables.files import in_state
from streamweave.preservation.damage import is_unrepaired
from streamweave.printable import counted

FILES_NAMED = 10
"""Of each instrument, those that have waited longest."""
NEEDING_ATTENTION = (VersionState.OVERDUE, VersionState.FAILED, VersionState.UNREADABLE)

COPIES_NAMED = 10
LASTS_FOR = timedelta(hours=1)

_NEEDS_ATTENTION = FileVersion.is_newest & in_state(*NEEDING_ATTENTION)


def files_needing_attention(session: Session) -> Iterator[Condition]:
    """One condition for each instrument, however many its files are."""
    counts = _counts(session)
    longest = _longest(session) if counts else {}
    for instrument in session.scalars(listing(Instrument).where(Instrument.id.in_(counts))) if counts else ():
        yield _overdue(instrument, counts[instrument.id], longest[instrument.id])


def _counts(session: Session) -> dict[uuid.UUID, dict[str, int]]:
    rows = session.execute(
        select(FileVersion.instrument_id, FileVersion.state, func.count())
        .where(_NEEDS_ATTENTION)
        .group_by(FileVersion.instrument_id, FileVersion.state)
        .order_by(FileVersion.state)
    )
    counts: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    for instrument_id, state, number in rows:
        counts[instrument_id][state] = number
    return counts


def _longest(session: Session) -> dict[uuid.UUID, list[Row[Any]]]:
    place = func.row_number().over(
        partition_by=FileVersion.instrument_id, order_by=(FileVersion.state_since, FileVersion.id)
    )
    ranked = (
        select(
            FileVersion.instrument_id,
            FileVersion.file_id,
            FileVersion.state,
            FileVersion.reason,
            FileVersion.state_since,
            place.label("place"),
        )
        .where(_NEEDS_ATTENTION)
        .subquery()
    )
    rows = session.execute(
        select(ranked.c.instrument_id, FileRecord.source_path, ranked.c.state, ranked.c.reason, ranked.c.state_since)
        .join(FileRecord, FileRecord.id == ranked.c.file_id)
        .where(ranked.c.place <= FILES_NAMED)
        .order_by(ranked.c.state_since)
    )
    longest: dict[uuid.UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        longest[row.instrument_id].append(row)
    return longest


def _overdue(instrument: Instrument, counts: dict[str, int], longest: Sequence[Row[Any]]) -> Condition:
    total, first = sum(counts.values()), longest[0]
    by_state = ", ".join(f"{number} {state}" for state, number in counts.items())
    sentence = (
        f"{counted(total, 'file')} of {instrument.name} {'needs' if total == 1 else 'need'} attention ({by_state}); "
        f"the longest waiting, {first.source_path}, since {first.state_since:%Y-%m-%d %H:%M} UTC: {first.reason}"
    )
    files = [
        {"path": row.source_path, "state": row.state, "reason": row.reason, "since": row.state_since.isoformat()}
        for row in longest
    ]
    return about_instrument(AlertKind.OVERDUE_FILES, instrument, sentence, {"counts": counts, "files": files})


def damaged_copies(session: Session) -> Iterator[Condition]:
    """One condition for each instrument that is in use, with its first damaged copies by name."""
    numbers = dict(
        session.execute(
            select(Transfer.instrument_id, func.count()).where(is_unrepaired()).group_by(Transfer.instrument_id)
        )
        .tuples()
        .all()
    )
    for instrument in session.scalars(listing(Instrument).where(Instrument.id.in_(numbers))) if numbers else ():
        number, copies = numbers[instrument.id], _first(session, instrument)
        sentence = (
            f"{counted(number, 'archived copy', 'archived copies')} of {instrument.name} "
            f"{'is' if number == 1 else 'are'} damaged, the first in {copies[0]['storage_location']}: "
            f"{copies[0]['path']}: {copies[0]['damage']}"
        )
        details = {"copies": number, "files": copies}
        yield about_instrument(AlertKind.DAMAGED_COPIES, instrument, sentence, details)


def _first(session: Session, instrument: Instrument) -> list[dict[str, str | None]]:
    rows = session.execute(
        select(FileRecord.source_path, StorageLocation.name, Transfer.damage)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .join(StorageLocation, StorageLocation.id == Transfer.storage_location_id)
        .where(Transfer.instrument_id == instrument.id, is_unrepaired())
        .order_by(Transfer.last_verified_at, Transfer.id)
        .limit(COPIES_NAMED)
    )
    return [{"path": path, "storage_location": location, "damage": damage} for path, location, damage in rows]


def failing_hooks(session: Session, now: datetime) -> Iterator[Condition]:
    """One condition for each instrument in use, with the reason of one of its files."""
    failing: dict[uuid.UUID, list[Row[Any]]] = defaultdict(list)
    undecided = in_state(VersionState.SETTLED) & FileVersion.retry_at.is_not(None)
    for row in [
        *_failures(session, "undecided", undecided, FileVersion.state_since, FileVersion.reason, now),
        *_failures(
            session,
            "not enriched",
            FileVersion.enrichment_error.is_not(None),
            FileVersion.archived_at,
            FileVersion.enrichment_error,
            now,
        ),
    ]:
        failing[row.instrument_id].append(row)
    for instrument in session.scalars(listing(Instrument).where(Instrument.id.in_(failing))) if failing else ():
        failures = failing[instrument.id]
        sentence = "; ".join(
            f"{counted(each.files, 'file')} {each.word} since {each.since:%Y-%m-%d %H:%M} UTC: {each.why}"
            for each in failures
        )
        details = {each.word.replace(" ", "_"): {"files": each.files, "reason": each.why} for each in failures}
        sentence = f"Hooks fail for files of {instrument.name}: {sentence}"
        yield about_instrument(AlertKind.FAILING_HOOKS, instrument, sentence, details)


def _failures(
    session: Session,
    word: str,
    has_failed: ColumnElement[bool],
    since: InstrumentedAttribute[Any],
    why: InstrumentedAttribute[Any],
    now: datetime,
) -> Sequence[Row[Any]]:
    """For each instrument with such files: how many, since when, and why one of them."""
    return session.execute(
        select(
            FileVersion.instrument_id,
            func.concat(word).label("word"),
            func.count().label("files"),
            func.min(since).label("since"),
            func.min(why).label("why"),
        )
        .where(FileVersion.is_newest, has_failed, since <= now - LASTS_FOR)
        .group_by(FileVersion.instrument_id)
    ).all()
