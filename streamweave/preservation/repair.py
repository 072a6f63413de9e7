"""Repairing: damaged copies of an instrument's files get successors, one after the other.

A repair is claimed as a transfer is: by a row that belongs to one run, and is free again when that run is dead. Origins
are where the content of a damaged copy may still be. The share is asked first, then the other locations. A copy in
another location is read as a share's file is, so that both are copied and proven the same way.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.bulk import insert_many, update_many
from streamweave.catalog.leases import harvest_run, is_dead
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    LIVE,
    FileRecord,
    FileVersion,
    HarvestRun,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import (
    FileReadFailed,
    SourceError,
    SourceFileError,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    StreamWeaveError,
)
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim, free_claims_of_dead_runs, open_locations
from streamweave.harvest.commit import catalogue, place
from streamweave.harvest.copy_verify import Digest, Failed, copy_proven
from streamweave.harvest.rate_limit import Pace, closed_until, limits_of
from streamweave.harvest.version_state import Archived
from streamweave.journal.keeping import keep_journals
from streamweave.journal.readoption import readopt
from streamweave.preservation.damage import held_locations
from streamweave.printable import counted
from streamweave.sources.base import FileOpener, Source, SourceFile
from streamweave.storage.archive_paths import destination_path
from streamweave.storage.base import Storage

FIRST_DELAY = timedelta(hours=20)
"""A repair that failed is tried again the next night, and then each time after twice as long."""
LONGEST_DELAY = timedelta(days=30)
NOWHERE = "nothing intact is left to repair it from"


@dataclass(frozen=True, slots=True)
class Repair:
    """A damaged copy that needs a successor.

    ``damaged`` counts the copies of the version that were found damaged in the location, ``attempts`` the repairs that
    failed since. ``mtime_at_source`` is what the share should show while it still has this content; None when it has it
    no more according to the catalog. ``is_unfinished``: the instrument may not have finished it. Times are UTC.
    """

    file_id: uuid.UUID
    version_id: uuid.UUID
    storage_location_id: uuid.UUID
    damaged: int
    source_path: str
    number: int
    size_bytes: int
    mtime: datetime
    day: date
    sha256: str
    mtime_at_source: datetime | None
    attempts: int
    failed_at: datetime | None
    persistent_id: str
    discovered_at: datetime
    is_unfinished: bool

    def is_due(self, now: datetime) -> bool:
        if self.failed_at is None:
            return True
        delay: timedelta = min(FIRST_DELAY * 2 ** min(self.attempts - 1, 10), LONGEST_DELAY)
        return self.failed_at + delay <= now


def repairs_wanted(session: Session, instrument_id: uuid.UUID) -> list[Repair]:
    """The repairs that an instrument's files need and no run is making, the oldest damage first."""
    damaged = (
        select(
            Transfer.version_id,
            Transfer.storage_location_id,
            func.count().label("number"),
            func.max(Transfer.damage_found_at).label("found_at"),
        )
        .where(Transfer.instrument_id == instrument_id, Transfer.status == TransferStatus.DAMAGED)
        .group_by(Transfer.version_id, Transfer.storage_location_id)
        .subquery()
    )
    newest, other = aliased(FileVersion), aliased(Transfer)
    same_place = and_(
        other.version_id == damaged.c.version_id, other.storage_location_id == damaged.c.storage_location_id
    )
    live = (TransferStatus.IN_PROGRESS, TransferStatus.COMPLETED)
    failed = same_place & (other.status == TransferStatus.FAILED) & (other.created_at >= damaged.c.found_at)
    is_at_source = and_(newest.sha256 == FileVersion.sha256, FileRecord.gone_at.is_(None))
    rows = session.execute(
        select(
            FileRecord.id,
            FileVersion.id,
            damaged.c.storage_location_id,
            damaged.c.number,
            FileRecord.source_path,
            FileVersion.number,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.acquisition_day,
            FileVersion.sha256,
            case((is_at_source, newest.source_mtime)),
            select(func.count()).select_from(other).where(failed).scalar_subquery(),
            select(func.max(other.completed_at)).where(failed).scalar_subquery(),
            FileRecord.persistent_id,
            FileRecord.first_discovered_at,
            FileVersion.unfinished.is_not(None),
        )
        .select_from(damaged)
        .join(FileVersion, FileVersion.id == damaged.c.version_id)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .join(newest, and_(newest.file_id == FileRecord.id, newest.is_newest))
        .where(~select(other.id).where(same_place, other.status.in_(live)).exists())
        .order_by(damaged.c.found_at, FileVersion.id)
    )
    return [Repair(*row) for row in rows]


def instruments_with_repairs(session: Session) -> list[uuid.UUID]:
    """The instruments, deleted ones too, that have damaged copies."""
    return list(
        session.scalars(select(Transfer.instrument_id).where(Transfer.status == TransferStatus.DAMAGED).distinct())
    )


def claim_repair(facility: Facility, instrument: Instrument, run_id: uuid.UUID, repair: Repair) -> Claim | None:
    """A further transfer of the damaged version, to a path of its own; None when another run has it."""
    now = facility.now()
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        live = session.execute(
            select(Transfer.id, Transfer.status).where(
                Transfer.version_id == repair.version_id,
                Transfer.storage_location_id == repair.storage_location_id,
                Transfer.status.in_(LIVE),
            )
        ).one_or_none()
        if live is not None and live.status != TransferStatus.PENDING:
            return None
        claim = _claim(instrument, repair, uuid7() if live is None else live.id)
        _write(session, instrument, claim, run_id, now, is_new=live is None)
    return claim


def give_up(facility: Facility, claim: Claim, kind: str, why: str) -> None:
    """End a claim without a copy. The state of its version does not change: it was archived once."""
    with facility.sessions.begin() as session:
        session.execute(
            update(Transfer)
            .where(
                Transfer.id == claim.transfer_id,
                Transfer.claim_id == claim.claim_id,
                Transfer.status == TransferStatus.IN_PROGRESS,
            )
            .values(status=TransferStatus.FAILED, error_kind=kind, error_message=why, completed_at=facility.now())
        )


def _claim(instrument: Instrument, repair: Repair, transfer_id: uuid.UUID) -> Claim:
    return Claim(
        transfer_id=transfer_id,
        claim_id=uuid.uuid4(),
        version_id=repair.version_id,
        file_id=repair.file_id,
        storage_location_id=repair.storage_location_id,
        source_path=repair.source_path,
        size_bytes=repair.size_bytes,
        mtime=repair.mtime,
        day=repair.day,
        destination_path=destination_path(instrument.archive_folder, repair.source_path, repair.number, repair.damaged),
        attempt=repair.attempts + 1,
        failures=0,
        sha256=repair.sha256,
        is_unfinished=repair.is_unfinished,
        persistent_id=repair.persistent_id,
        number=repair.number,
        discovered_at=repair.discovered_at,
    )


def _write(
    session: Session, instrument: Instrument, claim: Claim, run_id: uuid.UUID, now: datetime, *, is_new: bool
) -> None:
    row = {
        "id": claim.transfer_id,
        "claim_id": claim.claim_id,
        "run_id": run_id,
        "status": TransferStatus.IN_PROGRESS,
        "started_at": now,
        "destination_path": claim.destination_path,
        "attempt": claim.attempt,
    }
    if not is_new:
        update_many(session, Transfer, [row])
        return
    owners = {
        "file_id": claim.file_id,
        "version_id": claim.version_id,
        "instrument_id": instrument.id,
        "storage_location_id": claim.storage_location_id,
        "transfer_adapter": instrument.transfer_adapter,
        "created_at": now,
    }
    insert_many(session, Transfer, [row | owners])


@dataclass(slots=True)
class RepairReport:
    """An instrument's damaged copies by source path, with the new address, or why there is none."""

    repaired: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def sentence(self) -> str:
        repaired = counted(len(self.repaired), "damaged copy", "damaged copies")
        return f"{repaired} repaired, {len(self.failed)} not"


def repair_copies(facility: Facility, instrument: Instrument, *, dagster_run_id: str | None = None) -> RepairReport:
    """Repair what is damaged of an instrument's files, in all storage locations that work and are not held.

    A repair that failed is tried again some nights later.
    """
    report = RepairReport()
    with harvest_run(facility.sessions, instrument.id, dagster_run_id) as run_id:
        free_claims_of_dead_runs(facility, instrument)
        with facility.sessions() as session:
            wanted = repairs_wanted(session, instrument.id)
            locations = _usable(session, {repair.storage_location_id for repair in wanted})
        due = [each for each in wanted if each.storage_location_id in locations and each.is_due(facility.now())]
        with closing(_Repairing(facility, instrument, run_id, locations, report)) as repairing:
            repairing.repair_all(due)
    return report


def _usable(session: Session, location_ids: set[uuid.UUID]) -> dict[uuid.UUID, StorageLocation]:
    """Those of the locations that may be written to, and are not held."""
    usable = (location_ids - held_locations(session, location_ids)) & set(session.scalars(open_locations()))
    rows = session.scalars(select(StorageLocation).where(StorageLocation.id.in_(usable)))
    return {location.id: location for location in rows}


@dataclass
class _Repairing:
    """One run's repairs of one instrument's files."""

    facility: Facility
    instrument: Instrument
    run_id: uuid.UUID
    locations: dict[uuid.UUID, StorageLocation]
    report: RepairReport

    def __post_init__(self) -> None:
        self._source: Source | None = None
        self._pace = Pace(limits_of(self.instrument).bytes_per_second)
        self._lost_share = ""
        self._opened: dict[uuid.UUID, Storage] = {}
        with self.facility.sessions() as session:
            self._journals = keep_journals(session, self.instrument, self.run_id)

    def repair_all(self, repairs: list[Repair]) -> None:
        """Repair one after the other. A location that fails is skipped from then on."""
        closed: dict[uuid.UUID, str] = {}
        for repair in repairs:
            if why := closed.get(repair.storage_location_id):
                self.report.failed.append((repair.source_path, why))
                continue
            try:
                self._repair(repair, self._storage(repair.storage_location_id))
            except StorageError as error:
                closed[repair.storage_location_id] = str(error)
                self.report.failed.append((repair.source_path, str(error)))

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _share(self) -> Source:
        """The share, opened when it is first needed."""
        self._source = self._source or self.facility.open_source(self.instrument)
        return self._source

    def _storage(self, location_id: uuid.UUID) -> Storage:
        """The location, recognised by its mark. Raises ``StorageError``."""
        if location_id not in self._opened:
            location = self.locations[location_id]
            storage = self.facility.open_marked(location, to_write=True)
            readopt(self.facility, location, storage)
            self._opened[location_id] = storage
        return self._opened[location_id]

    def _repair(self, repair: Repair, storage: Storage) -> None:
        why: list[str] = []
        for origin in self._origins(repair, why):
            claim = claim_repair(self.facility, self.instrument, self.run_id, repair)
            if claim is None:
                return
            try:
                address = self._archive(claim, storage, self._copied(origin, claim, storage), repair.damaged)
            except StreamWeaveError as error:
                give_up(self.facility, claim, error.kind(), f"from {origin.name}: {error}")
                if isinstance(error, StorageUnavailable | StorageRefused):
                    raise
                why.append(f"from {origin.name}: {error}")
            else:
                if address:
                    self.report.repaired.append((repair.source_path, address))
                return
        self.report.failed.append((repair.source_path, "; ".join(why) or NOWHERE))

    def _origins(self, repair: Repair, why: list[str]) -> "Iterator[Origin]":
        with self.facility.sessions() as session:
            refusal = self._lost_share or share_refusal(session, self.facility, self.instrument, self.run_id)
            stored = list(stored_origins(session, self.facility, repair))
        if repair.mtime_at_source is not None and refusal:
            why.append(f"from the share: {refusal}")
        elif repair.mtime_at_source is not None:
            yield Origin("the share", lambda claim: self._share(), repair.mtime_at_source)
        yield from stored

    def _copied(self, origin: "Origin", claim: Claim, storage: Storage) -> Digest:
        """Copy and prove. Of the share the limits are kept, and the file has the mtime that was last seen there."""
        try:
            if origin.share_mtime is None:
                return copy_proven(origin.reads(claim), storage, claim, lambda number_of_bytes: None)
            return copy_proven(origin.reads(claim), storage, replace(claim, mtime=origin.share_mtime), self._pace.take)
        except SourceError as error:
            if not isinstance(error, SourceFileError):
                self._lost_share = str(error)
            raise

    def _archive(self, claim: Claim, storage: Storage, digest: Digest, damaged: int) -> str | None:
        """Publish, make durable, write to the journal, catalogue. Returns the copy's address.

        None when this run was taken for dead, and another has the claim now. Raises what prevents it.
        """
        path = claim.destination_path
        planned = Archived(claim, digest, claim.version_id, path, storage.address(path), repairs=damaged)
        [result] = place(storage, [planned], self._journals, self.facility.now)
        if isinstance(result, Failed):
            raise result.error
        outcomes = catalogue(self.facility, self.instrument, self.run_id, [result], self._journals)
        return result.address if outcomes else None


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that may still have the content, opened by ``reads``. ``share_mtime``: what the share should show."""

    name: str
    reads: Callable[[Claim], FileOpener]
    share_mtime: datetime | None = None


def share_refusal(session: Session, facility: Facility, instrument: Instrument, run_id: uuid.UUID) -> str:
    """Why the share may not be read from at present; empty if it may."""
    if instrument.is_deleted or not instrument.enabled:
        return "its instrument is out of use"
    opening = limits_of(instrument).opens_at(facility.now())
    if opening is not None:
        return closed_until(opening)
    others = select(HarvestRun.id).where(HarvestRun.instrument_id == instrument.id, HarvestRun.id != run_id, ~is_dead())
    return "its instrument is being harvested" if session.scalar(select(others.exists())) else ""


def stored_origins(session: Session, facility: Facility, repair: Repair) -> "Iterator[Origin]":
    """The copies of the version in other locations that are not known to be damaged."""
    rows = session.execute(
        select(StorageLocation, Transfer.destination_path)
        .join(Transfer, Transfer.storage_location_id == StorageLocation.id)
        .where(
            Transfer.version_id == repair.version_id,
            Transfer.storage_location_id != repair.storage_location_id,
            Transfer.status == TransferStatus.COMPLETED,
            Transfer.damage.is_(None),
        )
        .order_by(StorageLocation.name)
    )
    for location, path in rows.all():
        try:
            storage = facility.open_marked(location)
        except StorageError:  # what can't be opened, or is another place, is no origin; its refusal is on record
            continue
        yield Origin(location.name, partial(CopyAsSource, storage, path or ""))


@dataclass
class CopyAsSource:
    """One published file, opened under the source path of the claim that it is to fulfil.

    It is never written to, so it always has the size and mtime that settled; its digest shows whether it is intact.
    """

    storage: Storage
    path: str
    claim: Claim

    @contextmanager
    def open(self, source_path: str) -> Iterator["CopyAsSource"]:  # noqa: ARG002 - there is this one only
        """Itself: nothing is opened before the first piece is asked for."""
        yield self

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content. Raises ``FileReadFailed``: the place that is read fails, not the one that is written to."""
        try:
            yield from self.storage.read(self.path, offset)
        except StorageError as error:
            raise FileReadFailed(str(error)) from error

    def now(self) -> SourceFile:
        """What settled."""
        return SourceFile(self.claim.source_path, self.claim.size_bytes, self.claim.mtime)
