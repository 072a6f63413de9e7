"""Repairs that are wanted: damaged copies without a successor. Each is made by one run at a time.

A repair is claimed as a transfer is: by a row that belongs to one run, and is free again when that run is dead.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.bulk import insert_many, update_many
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import LIVE, FileRecord, FileVersion, Instrument, Transfer, TransferStatus
from streamweave.catalog.tables.base import uuid7
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim
from streamweave.storage.archive_paths import destination_path

FIRST_DELAY = timedelta(hours=20)
"""A repair that failed is tried again the next night, and then each time after twice as long."""
LONGEST_DELAY = timedelta(days=30)


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
        """Whether it is time to try."""
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
