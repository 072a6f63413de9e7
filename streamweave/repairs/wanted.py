"""Repairs that are wanted: damaged copies without a successor."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.tables import FileRecord, FileVersion, Transfer, TransferStatus

FIRST_DELAY = timedelta(hours=20)
"""A repair that failed is tried again the next night, and then each time after twice as long."""
LONGEST_DELAY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Repair:
    """A damaged copy that needs a successor.

    ``damaged`` counts the copies of the version that were found damaged in the location, ``attempts`` the repairs that
    failed since. ``mtime_at_source`` is what the share should show while it still has this content; None when the
    catalog knows that it has it no more. ``is_unfinished``: the instrument may not have finished it. Times are UTC.
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
    """The repairs that an instrument's files need and nobody is making, the oldest damage first."""
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
