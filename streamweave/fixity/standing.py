"""Where an archive stands with its re-readings: how long ago, how many are overdue, and whether the pace suffices."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FixitySweep, StorageLocation, SweepKind, Transfer, TransferStatus
from streamweave.facility import Facility
from streamweave.fixity.damage import is_unrepaired
from streamweave.fixity.guard import last_release
from streamweave.fixity.quota import INTERVAL, SPREAD_NIGHTS, Quota


@dataclass(frozen=True, slots=True)
class FixityStanding:
    """Of an instrument's archived copies, or of a location's: ``damaged`` are those not repaired.

    ``oldest_reread_at`` is when the copy that was not re-read for the longest time was last proven; None when there is
    none. ``overdue`` ones were last re-read longer ago than they should be, or ``never``: they came with a copied disk.
    """

    copies: int
    oldest_reread_at: datetime | None
    overdue: int
    damaged: int
    never: int = 0

    def sentence(self) -> str:
        """For a person."""
        told = [f"{self.copies} copies"]
        if self.never:
            told.append(f"{self.never} never re-read")
        if self.oldest_reread_at is not None:
            which = "all others" if self.never else "all"
            told.append(f"{which} re-read since {self.oldest_reread_at:%Y-%m-%d %H:%M} UTC")
        if self.copies:
            told.append(f"{self.overdue} overdue")
        return ", ".join([*told, f"{self.damaged} damaged"])


def standing_of_instrument(session: Session, instrument_id: uuid.UUID, now: datetime) -> FixityStanding:
    """Where an instrument's copies stand."""
    return _standing(session, Transfer.instrument_id == instrument_id, now)


def missed(facility: Facility, location: StorageLocation, quota: Quota, work_done: int) -> str:
    """What to tell when a location's copies are not re-read as often as they should be; empty when they are."""
    now = facility.now()
    with facility.sessions() as session:
        standing = _standing(session, Transfer.storage_location_id == location.id, now)
    told = []
    if standing.overdue:
        told.append(f"{standing.overdue} copies were not re-read in the last {INTERVAL.days} days")
    if work_done < quota.work and standing.oldest_reread_at and standing.oldest_reread_at < quota.due_before:
        nights = quota.work * SPREAD_NIGHTS // max(work_done, 1)
        told.append(f"at this night's pace re-reading all of them takes {nights} nights")
    return f"the interval of {INTERVAL.days} days is being missed: {', '.join(told)}" if told else ""


def troubles_of(session: Session, instrument_id: uuid.UUID) -> list[str]:
    """What the last nightly sweeps over the locations that hold copies of an instrument could not do."""
    troubles = []
    for location in locations_of_instrument(session, instrument_id):
        if trouble := last_trouble(session, location.id):
            troubles.append(f"{location.name}: {trouble}")
    return troubles


def locations_of_instrument(session: Session, instrument_id: uuid.UUID) -> Sequence[StorageLocation]:
    """The locations that hold copies of an instrument's files, by name."""
    locations = select(StorageLocation).where(
        select(Transfer.id)
        .where(
            Transfer.storage_location_id == StorageLocation.id,
            Transfer.instrument_id == instrument_id,
            Transfer.status == TransferStatus.COMPLETED,
        )
        .exists()
    )
    return session.scalars(locations.order_by(StorageLocation.name)).all()


def last_trouble(session: Session, location_id: uuid.UUID) -> str | None:
    """What the last nightly sweep over a location could not do; None once a person has released the location since."""
    last = session.execute(
        select(FixitySweep.trouble, FixitySweep.finished_at)
        .where(
            FixitySweep.storage_location_id == location_id,
            FixitySweep.kind == SweepKind.NIGHTLY,
            FixitySweep.finished_at.is_not(None),
        )
        .order_by(FixitySweep.started_at.desc())
        .limit(1)
    ).one_or_none()
    released_at = last_release(session, location_id)
    if last is None or (released_at is not None and released_at >= last.finished_at):
        return None
    trouble: str | None = last.trouble
    return trouble


def _standing(session: Session, which: ColumnElement[bool], now: datetime) -> FixityStanding:
    late = or_(Transfer.last_verified_at.is_(None), Transfer.last_verified_at < now - INTERVAL)
    never = func.count().filter(Transfer.last_verified_at.is_(None))
    copies, oldest, overdue, unread = session.execute(
        select(func.count(), func.min(Transfer.last_verified_at), func.count().filter(late), never).where(
            which, Transfer.status == TransferStatus.COMPLETED
        )
    ).one()
    damaged = session.scalar(select(func.count()).select_from(Transfer).where(which, is_unrepaired()))
    return FixityStanding(copies, oldest, overdue, damaged or 0, unread)
