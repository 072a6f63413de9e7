"""Settling: has the instrument finished this file? Judged by what *we* saw, on our clock; its own times prove nothing.

A file has settled when at least two of our looks, a quiet period apart, saw the same size and mtime, its marker file
(where the instrument writes one) stands beside it, and (where the instrument's row asks for the probe) nobody holds it
open for writing.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.bulk import id_batches, is_one_of
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
    ripe = select(FileVersion.id).where(_is_ripe(instrument, now))
    return sum(_settle(facility, instrument, batch, writers, now) for batch in id_batches(facility.sessions, ripe))


def _settle(
    facility: Facility,
    instrument: Instrument,
    version_ids: Sequence[uuid.UUID],
    writers: Collection[uuid.UUID],
    now: datetime,
) -> int:
    judged: dict[Judgement, list[uuid.UUID]] = defaultdict(list)
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        ripe = _is_ripe(instrument, now) & is_one_of(FileVersion.id, version_ids)
        for watched, ids in _alike(session.connection().execute(_watched(instrument, ripe)), writers).items():
            judgement = judge(_observation(watched), instrument, now)
            if (judgement.state, judgement.reason) != (watched.state, watched.reason):
                judged[judgement] += ids
        return sum(_put_on_record(session, judgement, ids, now) for judgement, ids in judged.items())


class _Watched(NamedTuple):
    """What is on record of a watched version; of those that were found together it is the same."""

    state: str
    reason: str
    unchanged_since: datetime
    observed_at: datetime
    state_since: datetime
    marker_stands: bool
    has_open_writer: bool


def _alike(rows: Iterable[Row[Any]], writers: Collection[uuid.UUID]) -> dict[_Watched, list[uuid.UUID]]:
    """Rows of ``_watched`` by what they say: those alike are judged once."""
    alike: dict[_Watched, list[uuid.UUID]] = defaultdict(list)
    for version_id, *recorded in rows:
        alike[_Watched._make([*recorded, version_id in writers])].append(version_id)
    return alike


def _is_watched(instrument: Instrument) -> ColumnElement[bool]:
    return and_(FileVersion.instrument_id == instrument.id, FileVersion.state.in_(WATCHED))


def _is_quiet(instrument: Instrument) -> ColumnElement[bool]:
    quiet_period = timedelta(seconds=instrument.quiet_period_seconds)
    return FileVersion.observed_at - FileVersion.unchanged_since >= quiet_period


def _is_ripe(instrument: Instrument, now: datetime) -> ColumnElement[bool]:
    """Of all others the judgement is known: they still settle, and what was last seen of them stays their reason."""
    waited_too_long = FileVersion.state_since < now - timedelta(seconds=instrument.max_wait_seconds)
    is_overdue = FileVersion.state == VersionState.OVERDUE
    return _is_watched(instrument) & (_is_quiet(instrument) | waited_too_long | is_overdue)


def _watched(instrument: Instrument, which: ColumnElement[bool]) -> Select[Any]:
    query = select(
        FileVersion.id,
        FileVersion.state,
        FileVersion.reason,
        FileVersion.unchanged_since,
        FileVersion.observed_at,
        FileVersion.state_since,
    ).where(which)
    if not instrument.marker_suffix:
        return query.add_columns(true().label("marker_stands"))
    marker_stands = _marker_stands(instrument.id, instrument.marker_suffix)
    return query.add_columns(marker_stands.label("marker_stands")).join(
        FileRecord, FileRecord.id == FileVersion.file_id
    )


def _observation(watched: _Watched) -> Observation:
    return Observation(
        unchanged_since=watched.unchanged_since,
        observed_at=watched.observed_at,
        watched_since=watched.state_since,
        is_overdue=watched.state == VersionState.OVERDUE,
        marker_stands=watched.marker_stands,
        has_open_writer=watched.has_open_writer,
    )


def _marker_stands(instrument_id: uuid.UUID, suffix: str) -> ColumnElement[bool]:
    """Over ``FileRecord``: its marker file stands beside it, or it is a marker file itself."""
    marker = aliased(FileRecord)
    stands = exists().where(
        marker.instrument_id == instrument_id,
        func.md5(marker.source_path) == func.md5(FileRecord.source_path + suffix),
        marker.gone_at.is_(None),
    )
    return or_(FileRecord.source_path.endswith(suffix, autoescape=True), stands)


def _open_writers(facility: Facility, instrument: Instrument) -> set[uuid.UUID]:
    """Which of the versions that are otherwise quiet some client holds open for writing."""
    quiet = select(FileVersion.id, FileRecord.source_path).join(FileRecord, FileRecord.id == FileVersion.file_id)
    with facility.sessions() as session:
        watched = session.execute(quiet.where(_is_watched(instrument), _is_quiet(instrument))).all()
    with closing(facility.open_source(instrument)) as source:
        return {version_id for version_id, source_path in watched if _is_written(source, source_path)}


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
        .where(is_one_of(FileVersion.id, version_ids))
        .values(state=judgement.state, reason=judgement.reason, state_since=moves)
    )
    return len(version_ids) if judgement.state == VersionState.SETTLED else 0
