"""Settling: has the instrument finished this file? Judged by what *we* saw, on our clock; its own times prove nothing.

A file has settled when at least two of our looks, a quiet period apart, saw the same size and mtime, its marker file
(where the instrument writes one) stands beside it, and (where the instrument's row asks for the probe) nobody holds it
open for writing.
"""

import uuid
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, case, exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.file_versions import WATCHED
from streamweave.errors import SourceFileError
from streamweave.facility import Facility
from streamweave.sources.base import Source


@dataclass(frozen=True, slots=True)
class Observation:
    """What our looks at one version saw. Times are UTC, on our clock."""

    unchanged_since: datetime
    observed_at: datetime
    watched_since: datetime
    is_overdue: bool
    marker_stands: bool
    has_open_writer: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The state that follows, and why."""

    state: VersionState
    reason: str


def judge(observation: Observation, instrument: Instrument, now: datetime) -> Judgement:
    """Decide whether a version has settled, still settles, or is overdue. Pure."""
    obstacle = _obstacle(observation, instrument)
    if obstacle is None:
        return Judgement(VersionState.SETTLED, "unchanged over the quiet period")
    if observation.is_overdue or now - observation.watched_since > timedelta(seconds=instrument.max_wait_seconds):
        return Judgement(VersionState.OVERDUE, f"not finished after {instrument.max_wait_seconds} s: {obstacle}")
    return Judgement(VersionState.SETTLING, obstacle)


def _obstacle(observation: Observation, instrument: Instrument) -> str | None:
    quiet = observation.observed_at - observation.unchanged_since
    if quiet < timedelta(seconds=instrument.quiet_period_seconds):
        return f"seen unchanged for {quiet.total_seconds():.0f} of {instrument.quiet_period_seconds} s"
    if not observation.marker_stands:
        return f"its marker file (its name + '{instrument.marker_suffix}') is not there yet"
    if observation.has_open_writer:
        return "still open for writing at the instrument"
    return None


def settle(facility: Facility, instrument: Instrument) -> int:
    """Judge every watched version of an instrument; returns how many have settled.

    Raises a ``SourceError`` when the probe for open writers can't reach the share.
    """
    writers = _open_writers(facility, instrument) if instrument.probe_open_writer else set()
    now = facility.now()
    judged: dict[Judgement, list[uuid.UUID]] = defaultdict(list)
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        for row in session.execute(_watched(instrument)):
            judged[judge(_observation(row, instrument, writers), instrument, now)].append(row.id)
        return sum(_put_on_record(session, judgement, ids, now) for judgement, ids in judged.items())


def _watched(instrument: Instrument) -> Select[Any]:
    marker = aliased(FileRecord)
    marker_path = FileRecord.source_path + literal(instrument.marker_suffix or "")
    marker_stands = exists().where(
        marker.instrument_id == instrument.id,
        func.md5(marker.source_path) == func.md5(marker_path),
        marker.gone_at.is_(None),
    )
    return (
        select(
            FileVersion.id,
            FileVersion.unchanged_since,
            FileVersion.observed_at,
            FileVersion.state,
            FileVersion.state_since,
            FileRecord.source_path,
            marker_stands.label("marker_stands") if instrument.marker_suffix else literal(True).label("marker_stands"),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(FileVersion.instrument_id == instrument.id, FileVersion.state.in_(WATCHED))
    )


def _observation(row: Row[Any], instrument: Instrument, writers: set[uuid.UUID]) -> Observation:
    is_marker = bool(instrument.marker_suffix) and row.source_path.endswith(instrument.marker_suffix)
    return Observation(
        unchanged_since=row.unchanged_since,
        observed_at=row.observed_at,
        watched_since=row.state_since,
        is_overdue=row.state == VersionState.OVERDUE,
        marker_stands=row.marker_stands or is_marker,
        has_open_writer=row.id in writers,
    )


def _open_writers(facility: Facility, instrument: Instrument) -> set[uuid.UUID]:
    """Which of the versions that are otherwise quiet some client holds open for writing."""
    quiet = timedelta(seconds=instrument.quiet_period_seconds)
    with facility.sessions() as session:
        watched = [
            row for row in session.execute(_watched(instrument)) if row.observed_at - row.unchanged_since >= quiet
        ]
    with closing(facility.open_source(instrument)) as source:
        return {row.id for row in watched if _is_written(source, row.source_path)}


def _is_written(source: Source, source_path: str) -> bool:
    """A file that can't be probed counts as unwritten: its copy will tell what is wrong with it."""
    try:
        return source.has_open_writer(source_path)
    except SourceFileError:
        return False


def _put_on_record(session: Session, judgement: Judgement, version_ids: list[uuid.UUID], now: datetime) -> int:
    moves = case((FileVersion.state != judgement.state, now), else_=FileVersion.state_since)
    session.execute(
        update(FileVersion)
        .where(FileVersion.id.in_(version_ids))
        .values(state=judgement.state, reason=judgement.reason, state_since=moves)
    )
    return len(version_ids) if judgement.state == VersionState.SETTLED else 0
