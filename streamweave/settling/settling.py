"""Settling an instrument's files: all that are watched, alike ones judged at once, and put on record."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, id_batches, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.facility import Facility
from streamweave.harvest.coverage import Extent
from streamweave.settling.acquisitions import acquisitions_of
from streamweave.settling.judging import Acquisition, Judgement, Observation, judge
from streamweave.settling.reopening import reopen
from streamweave.settling.watching import Watched, is_ripe, watched_versions
from streamweave.settling.writers import open_writers


@dataclass(frozen=True)
class _Surroundings:
    """What a file is judged by beside its own row."""

    acquisitions: Mapping[str, Acquisition]
    writers: Collection[uuid.UUID]


def settle(facility: Facility, instrument: Instrument, extent: Extent) -> int:
    """Judge every watched version of an instrument; returns how many have settled.

    ``extent`` is how much of the share the look just taken has seen. Raises a ``SourceError`` when the probe for open
    writers can't reach the share.
    """
    with facility.sessions() as session:
        acquisitions = acquisitions_of(session, instrument, extent)
    reopen(facility, instrument, [folder for folder, each in acquisitions.items() if not each.is_harvested])
    writers = open_writers(facility, instrument, acquisitions) if instrument.probe_open_writer else {}
    for folder in {folder for folder in writers.values() if folder in acquisitions}:
        acquisitions[folder] = replace(acquisitions[folder], has_open_writer=True)
    surroundings = _Surroundings(acquisitions, writers.keys())
    now = facility.now()
    ripe = select(FileVersion.id).join(FileRecord, FileRecord.id == FileVersion.file_id).where(is_ripe(instrument, now))
    return sum(_settle(facility, instrument, batch, surroundings, now) for batch in id_batches(facility.sessions, ripe))


def _settle(
    facility: Facility,
    instrument: Instrument,
    version_ids: Sequence[uuid.UUID],
    surroundings: _Surroundings,
    now: datetime,
) -> int:
    judged: dict[Judgement, list[uuid.UUID]] = defaultdict(list)
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        ripe = checked(is_ripe(instrument, now)) & is_one_of(FileVersion.id, version_ids)
        rows = session.connection().execute(watched_versions(instrument, ripe))
        for (watched, is_written), ids in _alike(rows, surroundings.writers).items():
            if watched.acquisition is not None and watched.acquisition not in surroundings.acquisitions:
                continue  # found since we asked which acquisitions there are: the next look judges it
            judgement = judge(_observation(watched, surroundings, is_written=is_written), instrument, now)
            if (judgement.state, judgement.reason) != (watched.state, watched.reason):
                judged[judgement] += ids
        return sum(_put_on_record(session, judgement, ids, now) for judgement, ids in judged.items())


def _alike(rows: Iterable[Row[Any]], writers: Collection[uuid.UUID]) -> dict[tuple[Watched, bool], list[uuid.UUID]]:
    """Rows of ``watched_versions`` by what they say: those alike are judged once."""
    alike: dict[tuple[Watched, bool], list[uuid.UUID]] = defaultdict(list)
    for version_id, *recorded in rows:
        alike[Watched._make(recorded), version_id in writers].append(version_id)
    return alike


def _observation(watched: Watched, surroundings: _Surroundings, *, is_written: bool) -> Observation:
    return Observation(
        unchanged_since=watched.unchanged_since,
        observed_at=watched.observed_at,
        watched_since=watched.state_since,
        is_overdue=watched.state == VersionState.OVERDUE,
        marker_stands=watched.marker_stands,
        has_open_writer=is_written,
        acquisition=surroundings.acquisitions.get(watched.acquisition) if watched.acquisition else None,
    )


def _put_on_record(session: Session, judgement: Judgement, version_ids: list[uuid.UUID], now: datetime) -> int:
    moves = case((FileVersion.state != judgement.state, now), else_=FileVersion.state_since)
    session.execute(
        update(FileVersion)
        .where(is_one_of(FileVersion.id, version_ids))
        .values(state=judgement.state, reason=judgement.reason, state_since=moves, unfinished=judgement.unfinished)
    )
    return len(version_ids) if judgement.state == VersionState.SETTLED else 0
