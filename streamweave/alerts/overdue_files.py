"""Which instruments have files that need a person: overdue, failed, or with a name that can't be asked for.

A file that vanished before it was archived is none of them: nobody can bring it back, so the alert would never end.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from streamweave.alerts.condition import Condition, Findings, about_instrument, counted, listed
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, FileRecord, FileVersion, Instrument, VersionState

FILES_NAMED = 10
"""Of each instrument, those that have waited longest."""
NEEDING_A_PERSON = (VersionState.OVERDUE, VersionState.FAILED, VersionState.UNREADABLE)

_NEEDS_A_PERSON = FileVersion.is_newest & FileVersion.state.in_(NEEDING_A_PERSON)


def files_that_need_a_person(session: Session) -> Findings:
    """One condition for each instrument, however many its files are."""
    counts = _counts(session)
    if not counts:
        return Findings()
    longest = _longest(session)
    instruments = session.scalars(listing(Instrument).where(Instrument.id.in_(counts))).all()
    return Findings([_condition(each, counts[each.id], longest[each.id]) for each in instruments])


def _counts(session: Session) -> dict[uuid.UUID, dict[str, int]]:
    rows = session.execute(
        select(FileVersion.instrument_id, FileVersion.state, func.count())
        .where(_NEEDS_A_PERSON)
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
        .where(_NEEDS_A_PERSON)
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


def _condition(instrument: Instrument, counts: dict[str, int], longest: Sequence[Row[Any]]) -> Condition:
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
