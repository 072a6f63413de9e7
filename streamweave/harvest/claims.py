"""Claims: a transfer that is ``in_progress`` belongs to one run. The database gives each to one run only."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, is_one_of
from streamweave.catalog.leases import is_dead
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    IS_OPEN,
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    HarvestRun,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.facility import Facility

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Claim:
    """One transfer that one run alone works on: what to copy, as it settled, and where to."""

    transfer_id: uuid.UUID
    claim_id: uuid.UUID
    version_id: uuid.UUID
    file_id: uuid.UUID
    storage_location_id: uuid.UUID
    source_path: str
    size_bytes: int
    mtime: datetime
    day: date
    destination_path: str
    attempt: int
    failures: int
    sha256: str | None
    """Of this version's content, once some storage location has it."""
    is_unfinished: bool = False
    """The file may keep growing: what settled of it is to be copied, and no more."""
    was_begun: bool = False
    """By a run that crashed: it may have published bytes that are not on record."""
    persistent_id: str = ""
    number: int = 1
    """Of the version."""
    discovered_at: datetime = NEVER
    """When the file was seen for the first time."""

    @property
    def staged_name(self) -> str:
        """The name under which the destination stages this claim's bytes.

        It belongs to the claim, not to the transfer: a later claim of the same transfer can't write into a file that an
        earlier claim may yet publish.
        """
        return str(self.claim_id)


def claim_transfers(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    *,
    into: Collection[uuid.UUID],
    limit: int,
    days: Collection[date] | None = None,
) -> list[Claim]:
    """Claim up to ``limit`` due transfers into these storage locations, in the order in which they were planned."""
    now = facility.now()
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        due = is_due(instrument.id, now, days) & Transfer.storage_location_id.in_(into)
        return _take_next(session, due, limit, run_id, now)


def open_locations() -> Select[tuple[uuid.UUID]]:
    """The storage locations that may be written to: enabled, and not deleted."""
    return select(StorageLocation.id).where(StorageLocation.enabled, StorageLocation.deleted_at.is_(None))


def is_due(instrument_id: uuid.UUID, now: datetime, days: Collection[date] | None = None) -> ColumnElement[bool]:
    """Over ``Transfer`` joined to ``FileVersion``: it waits, and may be begun now.

    A version that failed for one storage location may be waiting for another.
    """
    is_time = or_(FileVersion.retry_at.is_(None), FileVersion.retry_at <= now)
    due = and_(
        Transfer.instrument_id == instrument_id,
        IS_OPEN,
        checked(Transfer.status == TransferStatus.PENDING),
        Transfer.storage_location_id.in_(open_locations()),
        checked(FileVersion.state.in_((VersionState.PENDING, VersionState.FAILED)) & is_time),
    )
    return due if days is None else and_(due, FileVersion.acquisition_day.in_(days))


def due_locations(
    session: Session, instrument_id: uuid.UUID, now: datetime, days: Collection[date] | None = None
) -> Sequence[StorageLocation]:
    """The enabled storage locations into which transfers are due."""
    waiting = (
        select(Transfer.storage_location_id)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(is_due(instrument_id, now, days))
    )
    return session.scalars(select(StorageLocation).where(StorageLocation.id.in_(waiting))).all()


def _take_next(session: Session, due: ColumnElement[bool], limit: int, run_id: uuid.UUID, now: datetime) -> list[Claim]:
    """Claim what was planned first, by one statement."""
    order = Transfer.created_at, Transfer.id
    waiting = (
        select(Transfer.id, Transfer.started_at).join(FileVersion, FileVersion.id == Transfer.version_id).where(due)
    )
    first = waiting.order_by(*order).limit(limit).subquery("first")
    taken = (
        update(Transfer)
        .where(Transfer.id == first.c.id, FileVersion.id == Transfer.version_id, FileRecord.id == Transfer.file_id)
        .values(status=TransferStatus.IN_PROGRESS, run_id=run_id, claim_id=func.gen_random_uuid(), started_at=now)
        .returning(
            *order,
            Transfer.claim_id,
            FileVersion.id,
            FileRecord.id,
            Transfer.storage_location_id,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.acquisition_day,
            Transfer.destination_path,
            Transfer.attempt,
            FileVersion.failures,
            FileVersion.sha256,
            FileVersion.unfinished.is_not(None),
            first.c.started_at.is_not(None),
            FileRecord.persistent_id,
            FileVersion.number,
            FileRecord.first_discovered_at,
        )
    )
    rows = session.connection().execute(taken).all()
    return [Claim(*row[1:]) for row in sorted(rows, key=lambda row: (row[0], row[1]))]


def give_back(facility: Facility, claims: Collection[Claim]) -> None:
    """Give back claims that were not worked on. Those that this run has lost are another run's, and are left alone.

    What a crashed run had begun before stays marked as begun.
    """
    was_begun = is_one_of(Transfer.id, [claim.transfer_id for claim in claims if claim.was_begun])
    with facility.sessions.begin() as session:
        session.execute(
            update(Transfer)
            .where(
                is_one_of(Transfer.id, [claim.transfer_id for claim in claims]),
                is_one_of(Transfer.claim_id, [claim.claim_id for claim in claims]),
                Transfer.status == TransferStatus.IN_PROGRESS,
            )
            .values(
                status=TransferStatus.PENDING,
                run_id=None,
                claim_id=None,
                started_at=case((was_begun, Transfer.started_at)),
            )
        )


def free_claims_of_dead_runs(facility: Facility, instrument: Instrument) -> int:
    """Make the transfers of crashed runs wait again; returns how many there were.

    Their ``started_at`` stays: such a run may have published bytes that are not on record.
    """
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        dead = select(HarvestRun.id).where(HarvestRun.instrument_id == instrument.id, is_dead())
        freed = session.scalars(
            update(Transfer)
            .where(
                Transfer.instrument_id == instrument.id,
                IS_OPEN,
                Transfer.status == TransferStatus.IN_PROGRESS,
                Transfer.run_id.in_(dead),
            )
            .values(status=TransferStatus.PENDING, run_id=None, claim_id=None)
            .returning(Transfer.id)
        )
        return len(freed.all())


def others_at_work(
    facility: Facility, instrument: Instrument, run_id: uuid.UUID, days: Collection[date] | None = None
) -> bool:
    """Whether another run holds claims on versions of this instrument, or of some acquisition days of it."""
    others = (
        select(Transfer.id)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(
            Transfer.instrument_id == instrument.id,
            IS_OPEN,
            Transfer.status == TransferStatus.IN_PROGRESS,
            Transfer.run_id != run_id,
        )
    )
    if days is not None:
        others = others.where(FileVersion.acquisition_day.in_(days))
    with facility.sessions() as session:
        return bool(session.scalar(select(others.exists())))


def staged_names_under_way(facility: Facility, storage_location_id: uuid.UUID) -> set[str]:
    """The names under which runs may be staging files in a storage location at this moment."""
    claim_ids = select(Transfer.claim_id).where(
        Transfer.storage_location_id == storage_location_id, IS_OPEN, Transfer.status == TransferStatus.IN_PROGRESS
    )
    with facility.sessions() as session:
        return {str(claim_id) for claim_id in session.scalars(claim_ids)}


def early_names_of_ours(session: Session, staged_names: Iterable[str]) -> set[str]:
    """The names that belong to ended claims of this catalog, of files staged when catalogs shared one staging area.

    What this catalog does not know may be another one's, which may be writing it now.
    """
    ids = {name for name in staged_names if _is_uuid(name)}
    ours = select(Transfer.claim_id).where(Transfer.claim_id.in_(ids), Transfer.status != TransferStatus.IN_PROGRESS)
    return {str(claim_id) for claim_id in session.scalars(ours)} if ids else set()


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def is_claimed() -> ColumnElement[bool]:
    """Over ``FileVersion``: a run holds a claim on it."""
    return exists().where(Transfer.version_id == FileVersion.id, Transfer.status == TransferStatus.IN_PROGRESS)


def has_a_copy() -> ColumnElement[bool]:
    """Over ``FileVersion``: some storage location has it, or had it until its copy was damaged."""
    return exists().where(
        Transfer.version_id == FileVersion.id,
        Transfer.status.in_(ONCE_COMPLETED),
    )


def of_files(file_ids: Collection[uuid.UUID], *statuses: TransferStatus) -> ColumnElement[bool]:
    """Over ``Transfer``: it is of one of these files, and of one of these statuses."""
    versions = select(FileVersion.id).where(is_one_of(FileVersion.file_id, file_ids))
    return Transfer.version_id.in_(versions) & checked(Transfer.status.in_(statuses))


def once_copied(session: Session, file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The versions of these files that some storage location has, or had until its copy was damaged."""
    return set(session.scalars(select(Transfer.version_id).where(of_files(file_ids, *ONCE_COMPLETED))))
