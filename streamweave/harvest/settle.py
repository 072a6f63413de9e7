"""Settling: decide which watched files the instrument has finished, and record it. ``judge`` decides, purely.

A file has settled when at least two scans, a quiet period apart, saw the same size and mtime, its marker file (where
the instrument writes one) is beside it, and (where the instrument's row asks for the probe) no client holds it open for
writing. The files of an acquisition folder settle as one: once all of that is true of each of them. Files that are
alike are decided on once.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    TableValuedAlias,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session, aliased

from streamweave.access.visibility import within
from streamweave.catalog.bulk import checked, digest_of_path, id_batches, is_at, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    GrowingFiles,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import WATCHED, digest_of, in_state, path_in_byte_order
from streamweave.errors import SourceFileError
from streamweave.facility import Facility
from streamweave.harvest.claims import is_claimed
from streamweave.harvest.record_changes import cancel_waiting_transfers
from streamweave.harvest.scan_record import ScannedScope
from streamweave.harvest.version_state import version_fields, write_version_fields
from streamweave.sources.base import Source

BEGUN = (TransferStatus.IN_PROGRESS, *ONCE_COMPLETED)
ON_ITS_WAY = (VersionState.SETTLED, VersionState.PENDING)
REOPENED = "its acquisition folder changed again before it was harvested"


@dataclass(frozen=True, slots=True)
class AcquisitionFiles:
    """A folder whose files settle as one: what is known of those, at any depth, that have not settled. Times are UTC.

    ``last_changed`` is the first scan that saw what is newest in it. ``seen_until`` is until when all of it was seen
    unchanged; None when some of it could not be seen. Once a copy of it has begun it ``is_harvested``: what comes then
    is late, and settles alone.
    """

    folder: str
    last_changed: datetime
    seen_until: datetime | None
    markers_exist: bool
    is_harvested: bool
    has_open_writer: bool = False

    def is_quiet(self, instrument: Instrument) -> bool:
        """Whether all of it was seen unchanged over the quiet period."""
        return self.seen_until is not None and self.seen_until - self.last_changed >= _quiet_period(instrument)


@dataclass(frozen=True, slots=True)
class Observation:
    """What our scans saw of one version. Times are UTC, on our clock."""

    unchanged_since: datetime
    observed_at: datetime
    watched_since: datetime
    is_overdue: bool
    marker_exists: bool
    has_open_writer: bool
    acquisition: AcquisitionFiles | None = None


@dataclass(frozen=True, slots=True)
class SettleDecision:
    """The state that follows, and why. ``unfinished`` is why it is harvested though it has not been finished."""

    state: VersionState
    reason: str
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """What a file waits for; ``is_growth`` when it is, or belongs to, what the instrument may just be writing."""

    reason: str
    is_growth: bool = False


def judge(observation: Observation, instrument: Instrument, now: datetime) -> SettleDecision:
    """Decide whether a version has settled, still settles, or is overdue."""
    obstacles, remark = _obstacles(observation, instrument), _remark(observation.acquisition)
    if not obstacles:
        return SettleDecision(VersionState.SETTLED, f"unchanged over the quiet period{remark}")
    reason, longest = f"{obstacles[0].reason}{remark}", instrument.max_wait_seconds
    has_waited_long = now - observation.watched_since > timedelta(seconds=longest)
    if has_waited_long and _is_harvested_unfinished(obstacles, instrument):
        unfinished = f"still growing or changing after {longest} s: {reason}"
        return SettleDecision(VersionState.SETTLED, unfinished, unfinished)
    if has_waited_long or observation.is_overdue:
        return SettleDecision(VersionState.OVERDUE, f"not finished after {longest} s: {reason}")
    return SettleDecision(VersionState.SETTLING, reason)


def _remark(acquisition: AcquisitionFiles | None) -> str:
    if acquisition is None or not acquisition.is_harvested:
        return ""
    return f"; it came after its acquisition folder {acquisition.folder} was harvested"


def _is_harvested_unfinished(obstacles: Sequence[_Obstacle], instrument: Instrument) -> bool:
    """Whether what there is is harvested as a version; a missing marker needs attention all the same."""
    return instrument.growing_files == GrowingFiles.VERSIONS and all(each.is_growth for each in obstacles)


def _obstacles(observation: Observation, instrument: Instrument) -> list[_Obstacle]:
    """What the file waits for: its acquisition folder, unless that has been harvested, and then its own obstacles."""
    acquisition = observation.acquisition
    is_part = acquisition is not None and not acquisition.is_harvested
    found = [_obstacle_of_folder(acquisition, instrument)] if acquisition and is_part else []
    return [each for each in [*found, _obstacle(observation, instrument)] if each is not None]


def _obstacle(observation: Observation, instrument: Instrument) -> _Obstacle | None:
    quiet = observation.observed_at - observation.unchanged_since
    if quiet < _quiet_period(instrument):
        reason = f"seen unchanged for {quiet.total_seconds():.0f} of {instrument.quiet_period_seconds} s"
        return _Obstacle(reason, is_growth=True)
    if not observation.marker_exists:
        return _Obstacle(f"its marker file (its name + '{instrument.marker_suffix}') is not there yet")
    if observation.has_open_writer:
        return _Obstacle("still open for writing at the instrument", is_growth=True)
    return None


def _obstacle_of_folder(acquisition: AcquisitionFiles, instrument: Instrument) -> _Obstacle | None:
    itself = f"its acquisition folder {acquisition.folder}"
    if acquisition.seen_until is None:
        return _Obstacle(f"{itself} has not been seen as a whole")
    if not acquisition.is_quiet(instrument):
        changed = f"{acquisition.last_changed:%Y-%m-%d %H:%M:%S} UTC"
        reason = (
            f"{itself} was last seen to change at {changed}; it must be quiet for {instrument.quiet_period_seconds} s"
        )
        return _Obstacle(reason, is_growth=True)
    if not acquisition.markers_exist:
        return _Obstacle(f"{itself} lacks a marker file ({_markers(instrument)})")
    if acquisition.has_open_writer:
        return _Obstacle(f"{itself} holds a file that is still open for writing at the instrument", is_growth=True)
    return None


def _markers(instrument: Instrument) -> str:
    of_folder = [f"'{instrument.marker_name}' in it"] if instrument.marker_name else []
    of_files = [f"a file's name + '{instrument.marker_suffix}'"] if instrument.marker_suffix else []
    return " or ".join([*of_folder, *of_files])


def _quiet_period(instrument: Instrument) -> timedelta:
    return timedelta(seconds=instrument.quiet_period_seconds)


def settle(facility: Facility, instrument: Instrument, extent: ScannedScope) -> int:
    """Decide on every watched version of an instrument; returns how many have settled.

    ``extent`` is how much of the share the last scan has seen. Raises a ``SourceError`` when the probe for open writers
    can't reach the share.
    """
    with facility.sessions() as session:
        acquisitions = acquisitions_of(session, instrument, extent)
    reopen(facility, instrument, [folder for folder, each in acquisitions.items() if not each.is_harvested])
    writers = open_writers(facility, instrument, acquisitions) if instrument.probe_open_writer else {}
    for folder in {folder for folder in writers.values() if folder in acquisitions}:
        acquisitions[folder] = replace(acquisitions[folder], has_open_writer=True)
    now = facility.now()
    ripe = select(FileVersion.id).join(FileRecord, FileRecord.id == FileVersion.file_id).where(is_ripe(instrument, now))
    return sum(
        _settle(facility, instrument, batch, acquisitions, writers, now)
        for batch in id_batches(facility.sessions, ripe)
    )


def _settle(
    facility: Facility,
    instrument: Instrument,
    version_ids: Sequence[uuid.UUID],
    acquisitions: Mapping[str, AcquisitionFiles],
    writers: Container[uuid.UUID],
    now: datetime,
) -> int:
    decided: dict[SettleDecision, list[uuid.UUID]] = defaultdict(list)
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        ripe = checked(is_ripe(instrument, now)) & is_one_of(FileVersion.id, version_ids)
        alike: dict[tuple[Any, ...], list[uuid.UUID]] = defaultdict(list)
        for version_id, *recorded in session.connection().execute(watched_versions(instrument, ripe)):
            alike[*recorded, version_id in writers].append(version_id)
        for (folder, state, reason, unchanged_since, observed_at, since, has_marker, is_written), ids in alike.items():
            if folder is not None and folder not in acquisitions:
                continue  # found since the acquisitions were read: the next scan decides on it
            observation = Observation(
                unchanged_since=unchanged_since,
                observed_at=observed_at,
                watched_since=since,
                is_overdue=state == VersionState.OVERDUE,
                marker_exists=has_marker,
                has_open_writer=is_written,
                acquisition=acquisitions.get(folder),
            )
            decision = judge(observation, instrument, now)
            if (decision.state, decision.reason) != (state, reason):
                decided[decision] += ids
        return sum(_record(session, decision, ids, now) for decision, ids in decided.items())


def _record(session: Session, decision: SettleDecision, version_ids: list[uuid.UUID], now: datetime) -> int:
    since = case((FileVersion.state != decision.state, now), else_=FileVersion.state_since)
    session.execute(
        update(FileVersion)
        .where(is_one_of(FileVersion.id, version_ids))
        .values(state=decision.state, reason=decision.reason, state_since=since, unfinished=decision.unfinished)
    )
    return len(version_ids) if decision.state == VersionState.SETTLED else 0


def is_watched(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileVersion``: the instrument may still be writing it."""
    return and_(FileVersion.instrument_id == instrument.id, in_state(*WATCHED))


def is_quiet(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileVersion``: it was seen unchanged over the quiet period."""
    quiet_period = timedelta(seconds=instrument.quiet_period_seconds)
    return FileVersion.observed_at - FileVersion.unchanged_since >= quiet_period


def is_ripe(instrument: Instrument, now: datetime) -> ColumnElement[bool]:
    """Over ``FileVersion`` joined to ``FileRecord``: there is something to decide.

    All others still settle, and keep their reason.
    """
    waited_too_long = FileVersion.state_since < now - timedelta(seconds=instrument.max_wait_seconds)
    is_overdue = FileVersion.state == VersionState.OVERDUE
    is_part = acquisition_folder(instrument).is_not(None) if instrument.acquisition_depth else false()
    return is_watched(instrument) & (is_quiet(instrument) | waited_too_long | is_overdue | is_part)


def watched_versions(instrument: Instrument, which: ColumnElement[bool]) -> Select[Any]:
    """The ids of versions with what ``_settle`` needs, in its order."""
    return (
        select(
            FileVersion.id,
            acquisition_folder(instrument),
            FileVersion.state,
            FileVersion.reason,
            FileVersion.unchanged_since,
            FileVersion.observed_at,
            FileVersion.state_since,
            marker_exists(instrument),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(which)
    )


def marker_exists(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileRecord``: its marker file is beside it, or it is a marker file itself, or there need be none."""
    if not instrument.marker_suffix:
        return true()
    suffix = instrument.marker_suffix
    marker = aliased(FileRecord)
    has_marker = exists().where(
        marker.instrument_id == instrument.id,
        digest_of(marker.source_path) == digest_of(FileRecord.source_path + suffix),
        marker.gone_at.is_(None),
    )
    is_marker = FileRecord.source_path.endswith(suffix, autoescape=True)
    if instrument.marker_name:
        is_marker |= FileRecord.filename == instrument.marker_name
    return or_(is_marker, has_marker)


def acquisitions_of(session: Session, instrument: Instrument, extent: ScannedScope) -> dict[str, AcquisitionFiles]:
    """The acquisition folders that hold watched files, by folder; none unless the instrument's row says so."""
    if instrument.acquisition_depth is None:
        return {}
    folder = acquisition_folder(instrument)
    rows = session.execute(
        select(
            folder,
            func.max(FileVersion.unchanged_since),
            func.min(FileVersion.observed_at),
            func.bool_and(marker_exists(instrument)),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(is_watched(instrument), folder.is_not(None))
        .group_by(folder)
    ).all()
    folders = [row[0] for row in rows]
    marked, harvested = _marked(session, instrument, folders), _begun(session, instrument.id, folders)
    return {
        path: AcquisitionFiles(
            folder=path,
            last_changed=last_changed,
            seen_until=_seen_until(extent, path, observed_at),
            markers_exist=markers_exist and path in marked,
            is_harvested=path in harvested,
        )
        for path, last_changed, observed_at, markers_exist in rows
    }


def _seen_until(extent: ScannedScope, folder: str, observed_at: datetime) -> datetime | None:
    """Files may have come since the scans began that saw all of the folder: it was not seen later than that."""
    return min(extent.since, observed_at) if extent.since and extent.has_seen_all_of(folder) else None


def _marked(session: Session, instrument: Instrument, folders: Collection[str]) -> Collection[str]:
    """The folders that hold their marker, or all when there need be none."""
    if not instrument.marker_name:
        return folders
    markers = [digest_of_path(f"{folder}/{instrument.marker_name}") for folder in folders]
    present = (FileRecord.instrument_id == instrument.id) & FileRecord.gone_at.is_(None)
    return set(session.scalars(select(FileRecord.folder).where(present, is_at(markers))))


def _begun(session: Session, instrument_id: uuid.UUID, folders: Collection[str]) -> set[str]:
    """The folders of which a copy has begun."""
    folder = in_folders(folders)
    begun = exists().where(
        FileRecord.instrument_id == instrument_id,
        within(path_in_byte_order(FileRecord.source_path), folder.c.path),
        FileVersion.file_id == FileRecord.id,
        Transfer.version_id == FileVersion.id,
        Transfer.status.in_(BEGUN),
    )
    return set(session.scalars(select(folder.c.path).where(begun)))


def acquisition_folder(instrument: Instrument) -> ColumnElement[Any]:
    """Over ``FileRecord``: the acquisition folder that it is in, at any depth; null when it is in none."""
    if instrument.acquisition_depth is None:
        return null()
    names = base_folder(instrument).count("/") + 1 + instrument.acquisition_depth
    parts = func.string_to_array(FileRecord.folder, "/", type_=ARRAY(Text))
    folder = func.array_to_string(parts[1:names], "/", type_=Text())
    return case((func.cardinality(parts) >= names, folder))


def base_folder(instrument: Instrument) -> str:
    """The instrument's base folder, written like a ``source_path``."""
    inner = instrument.cifs_base_path.replace("\\", "/").split("/")
    return "/".join([instrument.cifs_share, *filter(None, inner)])


def in_folders(folders: Collection[str]) -> TableValuedAlias:
    """The folders as rows with a ``path``."""
    rows = func.unnest(literal(list(folders), ARRAY(Text(collation="C"))))
    return rows.table_valued("path").render_derived(name="acquisition")


def reopen(facility: Facility, instrument: Instrument, folders: Collection[str]) -> int:
    """Make what has settled in these folders, and no run copies yet, settle again with the rest; returns how many.

    An acquisition that changes again before a copy of it has begun was not complete. Files that are copied unfinished
    are left alone.
    """
    if not folders:
        return 0
    folder = in_folders(folders)
    found = (
        select(FileVersion.id)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .join(folder, within(path_in_byte_order(FileRecord.source_path), folder.c.path))
        .where(FileRecord.instrument_id == instrument.id, _may_wait(instrument))
    )
    reopened = 0
    for version_ids in id_batches(facility.sessions, found):
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            still = select(FileVersion.id).where(is_one_of(FileVersion.id, version_ids), _may_wait(instrument))
            before = version_fields(session, session.scalars(still).all())
            now = facility.now()
            write_version_fields(
                session,
                [
                    (each, each.entering(VersionState.SETTLING, REOPENED, now, decided_hooks=None, retry_at=None))
                    for each in before
                ],
            )
            cancel_waiting_transfers(session, [each.id for each in before], REOPENED, now)
            reopened += len(before)
    return reopened


def _may_wait(instrument: Instrument) -> ColumnElement[bool]:
    return (
        (FileVersion.instrument_id == instrument.id)
        & FileVersion.is_newest
        & in_state(*ON_ITS_WAY)
        & FileVersion.unfinished.is_(None)
        & ~is_claimed()
    )


def open_writers(
    facility: Facility, instrument: Instrument, acquisitions: Mapping[str, AcquisitionFiles]
) -> dict[uuid.UUID, str | None]:
    """The versions that a client holds open for writing, with the acquisition folder of each; probing disturbs none.

    The files of an acquisition that is not quiet are not probed. Raises a ``SourceError`` when the share can't be
    reached.
    """
    quiet = (
        select(FileVersion.id, FileRecord.source_path, acquisition_folder(instrument))
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(is_watched(instrument), is_quiet(instrument))
    )
    with facility.sessions() as session:
        watched = session.execute(quiet).all()
    with closing(facility.open_source(instrument)) as source:
        return {
            version_id: folder
            for version_id, source_path, folder in watched
            if _may_settle(instrument, folder, acquisitions) and _is_written(source, source_path)
        }


def _may_settle(instrument: Instrument, folder: str | None, acquisitions: Mapping[str, AcquisitionFiles]) -> bool:
    acquisition = acquisitions.get(folder) if folder else None
    return acquisition is None or acquisition.is_harvested or acquisition.is_quiet(instrument)


def _is_written(source: Source, source_path: str) -> bool:
    """A file that can't be probed counts as unwritten: its copy will show what is wrong with it."""
    try:
        return source.has_open_writer(source_path)
    except SourceFileError:
        return False
