"""Reads the evidence of a certificate from the catalog: of files and their copies, many by a few statements; and what
holds for all files of an instrument at this moment, such as its last complete scan and its destinations.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, func, literal, or_, select, text
from sqlalchemy.orm import Session, aliased

from streamweave.access.access_paths import within
from streamweave.catalog.bulk import BATCH, is_one_of
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    FixityHold,
    HarvestRun,
    Instrument,
    Scan,
    ScanOutcome,
    Schedule,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import INDEXED_PATH, path_in_byte_order
from streamweave.harvest.scan_record import address_of, latest_scan
from streamweave.preservation.certificates.evidence import (
    Circumstances,
    CopyEvidence,
    FileEvidence,
    LastScan,
    LocationEvidence,
)

SHA256 = 16
"""Its position among the facts that are read of a file."""
_PATH = path_in_byte_order(FileRecord.source_path)
_IN_ORDER_OF_PATHS = Order(_PATH, FileRecord.id)


def circumstances_of(session: Session, instrument: Instrument, now: datetime) -> Circumstances:
    """What holds for all files of an instrument. Read before the files: what changes in between counts against them."""
    complete = latest_scan(session, instrument.id, outcome=ScanOutcome.COMPLETE)
    suspect = latest_scan(session, instrument.id, outcome=ScanOutcome.SUSPECT)
    is_doubted = suspect is not None and (complete is None or suspect.started_at > complete.started_at)
    return Circumstances(
        now=now,
        address=address_of(instrument),
        last_scan=None if complete is None else _last_scan(complete),
        doubted_at=suspect.started_at if suspect is not None and is_doubted else None,
        destinations=tuple(_destinations(session, instrument.id)),
    )


def _last_scan(scan: Scan) -> LastScan:
    assert scan.finished_at is not None, "only finished scans are asked for"
    return LastScan(
        scan_id=scan.id,
        covers_since=scan.covers_since or scan.started_at,
        ended_at=scan.finished_at,
        address=scan.address,
        unlisted=scan.folders_not_listed,
        unlisted_count=scan.unreadable_folders,
    )


def _destinations(session: Session, instrument_id: uuid.UUID) -> Iterator[LocationEvidence]:
    """What the enabled schedules name, disabled locations included: files were meant for them."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    locations = (
        select(StorageLocation, FixityHold.because)
        .outerjoin(FixityHold, is_held())
        .where(StorageLocation.id.in_(named))
        .order_by(StorageLocation.created_at, StorageLocation.id)
    )
    for location, held in session.execute(locations):
        yield place_of(location, held)


def all_places(session: Session) -> dict[uuid.UUID, LocationEvidence]:
    """Every storage location, by its id."""
    locations = select(StorageLocation, FixityHold.because).outerjoin(FixityHold, is_held())
    return {location.id: place_of(location, held) for location, held in session.execute(locations)}


def all_locations(session: Session) -> dict[uuid.UUID, StorageLocation]:
    """Every storage location's row, by its id."""
    return {location.id: location for location in session.scalars(select(StorageLocation))}


def is_held() -> ColumnElement[bool]:
    """Joins a ``StorageLocation`` with the hold on it that is not released yet; there is one at most."""
    return (FixityHold.storage_location_id == StorageLocation.id) & FixityHold.released_at.is_(None)


def place_of(location: StorageLocation, held: str | None) -> LocationEvidence:
    """A storage location, as evidence has it."""
    return LocationEvidence(location.id, location.name, location.enabled and not location.is_deleted, held)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a certificate is asked for: a file by its id, or all that exists at and below a path; None for everything.

    A ``path`` is written like a ``source_path``, without a slash at its end.
    """

    instrument_id: uuid.UUID
    path: str | None = None
    file_id: uuid.UUID | None = None

    def files(self) -> ColumnElement[bool]:
        """Over ``FileRecord``."""
        of_instrument = FileRecord.instrument_id == self.instrument_id
        if self.file_id is not None:
            return of_instrument & (FileRecord.id == self.file_id)
        if self.path is None:
            return of_instrument
        return and_(of_instrument, *_at_or_below(self.path))


def _at_or_below(path: str) -> Iterator[ColumnElement[bool]]:
    """A range of the index, which holds only the beginnings of paths; and the exact condition on the whole path."""
    closed = f"{path}/"
    beginning = literal(closed[:INDEXED_PATH], Text)
    yield within(_PATH, literal(path, Text)) if len(closed) < INDEXED_PATH else beginning == _PATH
    is_below = and_(FileRecord.source_path >= closed, FileRecord.source_path < f"{path}0")
    yield or_(FileRecord.source_path == path, is_below)


def evidence_batches(sessions: Sessions, scope: Scope, size: int = BATCH) -> Iterator[list[FileEvidence]]:
    """The evidence of all files of a scope in the order of their paths, each batch in a session of its own."""
    request = PageRequest(size)
    while True:
        with sessions() as session:
            page = evidence_page(session, scope, request)
        if page.rows:
            yield page.rows
        if page.next_cursor is None:
            return
        request = PageRequest(size, page.next_cursor)


def evidence_page(session: Session, scope: Scope, request: PageRequest) -> Page[FileEvidence]:
    """The evidence of some files of a scope, in the order of their paths. Raises ``InvalidInput`` for a cursor."""
    name = f"{scope.instrument_id} {scope.path} {scope.file_id}"
    page = page_of(session, select(FileRecord.id).where(scope.files()), _IN_ORDER_OF_PATHS, request, scope=name)
    return Page(_evidence_of(session, page.rows), page.next_cursor)


def _evidence_of(session: Session, file_ids: Sequence[uuid.UUID]) -> list[FileEvidence]:
    """Each table is filtered by the ids: else PostgreSQL reads all versions, once for each batch.

    No more than two are joined like that, and the plan is made for these very ids: a generic plan expects so few rows
    that it compares each of them with all ids.
    """
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    copies, unfinished = _copies_of(session, file_ids), _unfinished_contents(session, file_ids)
    rows = session.connection().execute(
        select(
            FileRecord.id,
            FileRecord.source_path,
            FileRecord.folder,
            FileRecord.persistent_id,
            FileRecord.gone_at,
            FileRecord.back_at,
            FileVersion.number,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.state,
            FileVersion.reason,
            FileVersion.state_since,
            FileVersion.discovered_at,
            FileVersion.unchanged_since,
            FileVersion.observed_at,
            FileVersion.xxhash,
            FileVersion.sha256,
            FileVersion.redirected,
            FileVersion.clock_skew_seconds,
            FileVersion.enrichment_error,
            FileVersion.unfinished,
            FileVersion.source_reread_at,
            FileVersion.source_verified_at,
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(is_one_of(FileRecord.id, file_ids), is_one_of(FileVersion.file_id, file_ids))
    )
    found: dict[uuid.UUID, FileEvidence] = {}
    for *facts, own_unfinished, reread_at, verified_at in rows.all():
        file_id, sha256 = facts[0], facts[SHA256]
        reason = own_unfinished or unfinished.get((file_id, sha256))
        its_copies = tuple(copies.get((file_id, sha256), ()))
        found[file_id] = FileEvidence(*[*facts, reason, reread_at, verified_at, its_copies])
    return [found[file_id] for file_id in file_ids]


def _unfinished_contents(session: Session, file_ids: Sequence[uuid.UUID]) -> dict[tuple[uuid.UUID, str | None], str]:
    """Why a content was archived though it may not have been finished, by file and SHA-256; of the few that were."""
    rows = session.execute(
        select(FileVersion.file_id, FileVersion.sha256, FileVersion.unfinished).where(
            is_one_of(FileVersion.file_id, file_ids),
            FileVersion.unfinished.is_not(None),
            FileVersion.state != VersionState.UNCHANGED,
        )
    )
    return {(file_id, sha256): reason for file_id, sha256, reason in rows if reason is not None}


def _copies_of(
    session: Session, file_ids: Sequence[uuid.UUID]
) -> dict[tuple[uuid.UUID, str | None], list[CopyEvidence]]:
    """By file and SHA-256 of the content: a file that was only touched has its content as an earlier version."""
    places, holder = all_places(session), aliased(FileVersion)
    rows = session.connection().execute(
        select(
            holder.file_id,
            holder.sha256,
            Transfer.id,
            Transfer.storage_location_id,
            func.coalesce(Transfer.destination_path, ""),
            Transfer.status == TransferStatus.COMPLETED,
            Transfer.checksum_verified,
            Transfer.bytes_transferred,
            Transfer.source_checksum,
            Transfer.dest_checksum,
            Transfer.created_at,
            Transfer.started_at,
            Transfer.completed_at,
            Transfer.last_verified_at,
            Transfer.damage,
            Transfer.run_id,
            HarvestRun.dagster_run_id,
            holder.source_mtime,
        )
        .join(holder, holder.id == Transfer.version_id)
        .outerjoin(HarvestRun, HarvestRun.id == Transfer.run_id)
        .where(
            is_one_of(Transfer.file_id, file_ids),
            is_one_of(holder.file_id, file_ids),
            or_(Transfer.status == TransferStatus.COMPLETED, Transfer.damage.is_not(None)),
        )
        .order_by(Transfer.created_at, Transfer.id)
    )
    found: defaultdict[tuple[uuid.UUID, str | None], list[CopyEvidence]] = defaultdict(list)
    for file_id, sha256, transfer_id, location_id, *proof in rows.all():
        found[file_id, sha256].append(CopyEvidence(transfer_id, places[location_id], *proof))
    return found
