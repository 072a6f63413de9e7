"""What a certificate rests on: frozen values, and how they are read from the catalog. Times are UTC.

Of files and their copies many are read by a few statements; what holds for all files of an instrument at this moment,
such as its last complete scan and its destinations, is read before.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, func, literal, or_, select, text, true
from sqlalchemy.orm import Session, aliased

from streamweave.access.visibility import within
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
from streamweave.errors import StorageError, StorageUnavailable
from streamweave.harvest.scan_record import address_of, latest_scan
from streamweave.storage.base import CopyStat

CopyFound = CopyStat | StorageError | None
"""What exists at the place of a copy now: a file, nothing (None), or why that is not known, or no file."""
NOT_ASKED = StorageUnavailable("it was not asked for")


@dataclass(frozen=True, slots=True)
class LocationEvidence:
    """A storage location that files are meant for. ``held`` is why nothing found there is marked damaged."""

    id: uuid.UUID
    name: str
    is_open: bool
    """Enabled, and not deleted."""
    held: str | None = None


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last complete scan of a share. Each folder was listed at some time between ``covers_since`` and ``ended_at``.

    ``unlisted`` are folders that could not be listed, each with its reason; of ``unlisted_count`` in all, the first
    ones by name.
    """

    scan_id: uuid.UUID
    covers_since: datetime
    ended_at: datetime
    address: str | None
    unlisted: Mapping[str, str]
    unlisted_count: int

    @property
    def names_all_unlisted(self) -> bool:
        """Whether it is known which folders could not be listed."""
        return self.unlisted_count == len(self.unlisted)

    def hides(self, folder: str) -> str | None:
        """The folder that could not be listed and that is ``folder``, or holds it."""
        return next((each for each in self.unlisted if is_at_or_below(folder, each)), None)

    def unlisted_within(self, path: str | None) -> tuple[str, ...]:
        """The folders that could not be listed at, below or above a path; all of them for None."""
        if path is None:
            return tuple(self.unlisted)
        return tuple(each for each in self.unlisted if is_at_or_below(each, path) or is_at_or_below(path, each))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a storage location can't be relied on now: it is not the marked place, or it can't be reached."""

    is_other_place: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for all files of an instrument at one moment.

    ``address`` is where its files are now, written like a scan's. ``doubted_at`` is when a later scan began whose
    listing was implausible. ``copies`` is what was found in the archive, by transfer; ``troubles`` are those
    of storage locations, by their ids.
    """

    now: datetime
    address: str
    last_scan: LastScan | None
    doubted_at: datetime | None
    destinations: tuple[LocationEvidence, ...]
    copies: Mapping[uuid.UUID, CopyFound] = field(default_factory=dict)
    troubles: Mapping[uuid.UUID, Trouble] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reread:
    """The result of reading a source again now: its size and SHA-256, or the error."""

    at: datetime
    size_bytes: int = 0
    sha256: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CopyEvidence:
    """A copy of the newest version's content in a storage location, as its transfer proved it.

    ``planned_at`` is when the filter decided for it, ``claimed_at`` when the run took it on, ``catalogued_at`` when its
    proof went on record: in between it was read from the source, read back from the storage, and compared.
    A copy that came with a disk and its journals was proven elsewhere: it has no ``xxhash_read_back``, and no
    ``last_reread_at`` before a sweep has read it.
    ``source_mtime`` is that of the version it was made for, which is an earlier one if the file was only touched since.
    ``not_reread`` is why it could not be re-read now, though that was asked for.
    """

    transfer_id: uuid.UUID
    place: LocationEvidence
    path: str
    is_completed: bool
    is_verified: bool
    size_bytes: int | None
    xxhash_read: str | None
    xxhash_read_back: str | None
    planned_at: datetime
    claimed_at: datetime | None
    catalogued_at: datetime | None
    last_reread_at: datetime | None
    damage: str | None
    run_id: uuid.UUID | None
    dagster_run_id: str | None
    source_mtime: datetime
    not_reread: str | None = None


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """One file: its newest version, and every copy of that version's content.

    ``back_at`` is when it was found again after it had been gone. ``seen_at`` is the first scan that saw this version,
    ``quiet_since`` the first with its present size and mtime, ``observed_at`` the last one before it settled.
    ``unfinished`` is why its content was archived though the instrument may not have finished it, be it as an earlier
    version. ``source_reread_at`` is when the source was last to be read again, ``source_verified_at`` when it was, and
    was identical.
    """

    file_id: uuid.UUID
    source_path: str
    folder: str
    persistent_id: str
    gone_at: datetime | None
    back_at: datetime | None
    number: int
    size_bytes: int
    source_mtime: datetime
    state: str
    reason: str
    state_since: datetime
    seen_at: datetime
    quiet_since: datetime
    observed_at: datetime
    xxhash: str | None
    sha256: str | None
    is_redirected: bool
    clock_skew_seconds: float | None
    enrichment_error: str | None
    unfinished: str | None = None
    source_reread_at: datetime | None = None
    source_verified_at: datetime | None = None
    copies: tuple[CopyEvidence, ...] = ()
    reread: Reread | None = None


def is_at_or_below(path: str, folder: str) -> bool:
    """Whether a path is ``folder``, or lies in it at any depth."""
    return path == folder or path.startswith(f"{folder}/")


SHA256 = 16
"""Its position among the facts that are read of a file."""
_PATH = path_in_byte_order(FileRecord.source_path)
_IN_ORDER_OF_PATHS = Order(_PATH, FileRecord.id)


def circumstances_of(session: Session, instrument: Instrument, now: datetime) -> Circumstances:
    """What holds for all files of an instrument. Read before the files: what changes in between counts against them."""
    complete = latest_scan(session, instrument.id, outcome=ScanOutcome.COMPLETE)
    suspect = latest_scan(session, instrument.id, outcome=ScanOutcome.SUSPECT)
    is_doubted = suspect is not None and (complete is None or suspect.started_at > complete.started_at)
    # disabled locations included: files were meant for them
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument.id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    return Circumstances(
        now=now,
        address=address_of(instrument),
        last_scan=None if complete is None else _last_scan(complete),
        doubted_at=suspect.started_at if suspect is not None and is_doubted else None,
        destinations=tuple(_places(session, StorageLocation.id.in_(named))),
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


def _places(session: Session, which: ColumnElement[bool]) -> list[LocationEvidence]:
    """Storage locations, each with the hold on it that is not released yet; there is one at most."""
    is_held = (FixityHold.storage_location_id == StorageLocation.id) & FixityHold.released_at.is_(None)
    rows = session.execute(
        select(StorageLocation, FixityHold.because)
        .outerjoin(FixityHold, is_held)
        .where(which)
        .order_by(StorageLocation.created_at, StorageLocation.id)
    )
    return [
        LocationEvidence(location.id, location.name, location.enabled and not location.is_deleted, held)
        for location, held in rows
    ]


def all_locations(session: Session) -> dict[uuid.UUID, StorageLocation]:
    return {location.id: location for location in session.scalars(select(StorageLocation))}


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
    places, holder = {place.id: place for place in _places(session, true())}, aliased(FileVersion)
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
            is_one_of(holder.file_id, file_ids),
            or_(Transfer.status == TransferStatus.COMPLETED, Transfer.damage.is_not(None)),
        )
        .order_by(Transfer.created_at, Transfer.id)
    )
    found: defaultdict[tuple[uuid.UUID, str | None], list[CopyEvidence]] = defaultdict(list)
    for file_id, sha256, transfer_id, location_id, *proof in rows.all():
        found[file_id, sha256].append(CopyEvidence(transfer_id, places[location_id], *proof))
    return found
