"""Which instruments have files that need a person: overdue, failed, or with a name that can't be asked for.

A file that vanished before it was archived is none of them: nobody can bring it back, so the alert would never end.

Which instruments have archived copies that are not what they were, until others have taken their places.

Which instruments have hooks that have not coped with a file for a while: not decided about it, or not enriched it.

Each harvest asks the hooks again; so what has lasted for an hour will hardly mend itself.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.alerts.conditions import Condition, Findings, about_instrument, counted, listed
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
from streamweave.preservation.damage import is_unrepaired

FILES_NAMED = 10
"""Of each instrument, those that have waited longest."""
NEEDING_A_PERSON = (VersionState.OVERDUE, VersionState.FAILED, VersionState.UNREADABLE)

_NEEDS_ATTENTION = FileVersion.is_newest & FileVersion.state.in_(NEEDING_A_PERSON)


def files_that_need_a_person(session: Session) -> Findings:
    """One condition for each instrument, however many its files are."""
    counts = _counts(session)
    if not counts:
        return Findings()
    longest = _longest(session)
    instruments = session.scalars(listing(Instrument).where(Instrument.id.in_(counts))).all()
    return Findings([_overdue(each, counts[each.id], longest[each.id]) for each in instruments])


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
    by_state = listed(f"{number} {state}" for state, number in counts.items())
    sentence = (
        f"{counted(total, 'file')} of {instrument.name} {'needs' if total == 1 else 'need'} a person ({by_state}); "
        f"the longest waiting, {first.source_path}, since {first.state_since:%Y-%m-%d %H:%M} UTC: {first.reason}"
    )
    files = [
        {"path": row.source_path, "state": row.state, "reason": row.reason, "since": row.state_since.isoformat()}
        for row in longest
    ]
    return about_instrument(AlertKind.OVERDUE_FILES, instrument, sentence, {"counts": counts, "files": files})


COPIES_NAMED = 10


def damaged_copies(session: Session) -> Findings:
    """One condition for each instrument that is in use, with its first damaged copies by name."""
    numbers = dict(
        session.execute(
            select(Transfer.instrument_id, func.count()).where(is_unrepaired()).group_by(Transfer.instrument_id)
        )
        .tuples()
        .all()
    )
    findings = Findings()
    for instrument in session.scalars(listing(Instrument).where(Instrument.id.in_(numbers))) if numbers else ():
        number, copies = numbers[instrument.id], _first(session, instrument)
        sentence = (
            f"{counted(number, 'archived copy', 'archived copies')} of {instrument.name} "
            f"{'is' if number == 1 else 'are'} damaged, the first in {copies[0]['storage_location']}: "
            f"{copies[0]['path']}: {copies[0]['damage']}"
        )
        details = {"copies": number, "files": copies}
        findings.conditions.append(about_instrument(AlertKind.DAMAGED_COPIES, instrument, sentence, details))
    return findings


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


LASTS_FOR = timedelta(hours=1)


def failing_hooks(session: Session, now: datetime) -> Findings:
    """One condition for each instrument in use, with what the hooks said of one of its files."""
    failing: dict[uuid.UUID, list[Row[Any]]] = defaultdict(list)
    undecided = (FileVersion.state == VersionState.SETTLED) & FileVersion.retry_at.is_not(None)
    for row in [
        *_troubles(session, "undecided", undecided, FileVersion.state_since, FileVersion.reason, now),
        *_troubles(
            session,
            "not enriched",
            FileVersion.enrichment_error.is_not(None),
            FileVersion.archived_at,
            FileVersion.enrichment_error,
            now,
        ),
    ]:
        failing[row.instrument_id].append(row)
    instruments = session.scalars(listing(Instrument).where(Instrument.id.in_(failing))) if failing else ()
    return Findings([_failing(instrument, failing[instrument.id]) for instrument in instruments])


def _troubles(
    session: Session,
    word: str,
    is_trouble: ColumnElement[bool],
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
        .where(FileVersion.is_newest, is_trouble, since <= now - LASTS_FOR)
        .group_by(FileVersion.instrument_id)
    ).all()


def _failing(instrument: Instrument, troubles: Sequence[Row[Any]]) -> Condition:
    told = "; ".join(
        f"{counted(each.files, 'file')} {each.word} since {each.since:%Y-%m-%d %H:%M} UTC: {each.why}"
        for each in troubles
    )
    details = {each.word.replace(" ", "_"): {"files": each.files, "reason": each.why} for each in troubles}
    return about_instrument(
        AlertKind.FAILING_HOOKS, instrument, f"Hooks do not cope with files of {instrument.name}: {told}", details
    )
