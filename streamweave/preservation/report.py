"""Reports: what a sweep over one storage location did, and how current an archive's re-readings are.

For each instrument: how long ago its copies were read again, how many are overdue, and what the last sweeps could not
do. For admins: the checks of a file, all sweeps and all holds.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import (
    IS_COMPLETED,
    FixityCheck,
    FixityHold,
    FixityOutcome,
    FixitySweep,
    StorageLocation,
    SweepKind,
    Transfer,
    User,
)
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.files.queries import file_by_id
from streamweave.preservation.damage import is_unrepaired, last_release
from streamweave.preservation.reread import INTERVAL, SPREAD_NIGHTS, CopyCheck, Quota, work_of
from streamweave.printable import counted
from streamweave.storage.base import Storage

NAMED_COPIES = 1_000
"""More damaged copies than this are counted but not named."""

_NEWEST_CHECK = Order(FixityCheck.checked_at, FixityCheck.id, newest_first=True)
_NEWEST_SWEEP = Order(FixitySweep.started_at, FixitySweep.id, newest_first=True)
_NEWEST_HOLD = Order(FixityHold.held_at, FixityHold.id, newest_first=True)


@dataclass(frozen=True, slots=True)
class Damage:
    """An archived copy that is damaged, missing or unreadable. ``address`` is where it is, or should be."""

    source_path: str
    address: str
    outcome: FixityOutcome
    found: str


@dataclass(slots=True)
class SweepReport:
    """What was re-read in one storage location.

    ``trouble`` is why the location could not be read any more: nothing is known about the bytes there. ``held`` says
    why nothing found is marked damaged, ``missed`` that not everything is re-read as often as it should be.
    """

    location: str
    counts: Counter[FixityOutcome] = field(default_factory=Counter)
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    trouble: StorageError | None = None
    held: str = ""
    missed: str = ""

    def add(self, check: CopyCheck, storage: Storage) -> None:
        """Count the result for a copy, and name the copy if it is damaged, while there is room."""
        copy = check.copy
        self.counts[check.outcome] += 1
        self.bytes += copy.size_bytes
        if check.found is not None and len(self.damaged) < NAMED_COPIES:
            address = storage.address(copy.destination_path)
            self.damaged.append(Damage(copy.source_path, address, check.outcome, check.found))

    @property
    def work(self) -> int:
        """How much it was, as a quota counts it."""
        return work_of(self.files, self.bytes)

    @property
    def files(self) -> int:
        """How many copies were re-read."""
        return self.counts.total()

    @property
    def damaged_files(self) -> int:
        """How many of them are damaged, missing or unreadable."""
        return self.files - self.counts[FixityOutcome.INTACT]

    def warnings(self) -> str:
        """What went wrong with the sweep itself; empty if nothing did."""
        return "; ".join(filter(None, [str(self.trouble or ""), self.held, self.missed]))

    def sentence(self) -> str:
        files = counted(self.files, "file")
        counts = f"{self.location}: {files} ({self.bytes} bytes) re-read, {self.damaged_files} damaged"
        return "; ".join(filter(None, [counts, self.warnings()]))


@dataclass(frozen=True, slots=True)
class FixityState:
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
        parts = [counted(self.copies, "copy", "copies")]
        if self.never:
            parts.append(f"{self.never} never re-read")
        if self.oldest_reread_at is not None:
            which = "all others" if self.never else "all"
            parts.append(f"{which} re-read since {self.oldest_reread_at:%Y-%m-%d %H:%M} UTC")
        if self.copies:
            parts.append(f"{self.overdue} overdue")
        return ", ".join([*parts, f"{self.damaged} damaged"])


def fixity_state_of_instrument(session: Session, instrument_id: uuid.UUID, now: datetime) -> FixityState:
    return _fixity_state(session, Transfer.instrument_id == instrument_id, now)


def missed(facility: Facility, location: StorageLocation, quota: Quota, work_done: int) -> str:
    """Why a location's copies are not re-read as often as they should be; empty when they are."""
    now = facility.now()
    with facility.sessions() as session:
        state = _fixity_state(session, Transfer.storage_location_id == location.id, now)
    reasons = []
    if state.overdue:
        copies = counted(state.overdue, "copy was", "copies were")
        reasons.append(f"{copies} not re-read in the last {INTERVAL.days} days")
    if work_done < quota.work and state.oldest_reread_at and state.oldest_reread_at < quota.due_before:
        nights = quota.work * SPREAD_NIGHTS // max(work_done, 1)
        reasons.append(f"at this night's pace re-reading all of them takes {counted(nights, 'night')}")
    return f"the interval of {INTERVAL.days} days is being missed: {', '.join(reasons)}" if reasons else ""


def troubles_of(session: Session, instrument_id: uuid.UUID) -> list[str]:
    """What the last nightly sweeps over the locations that hold copies of an instrument could not do."""
    troubles = []
    for location in locations_with_copies(session, instrument_id):
        if trouble := last_trouble(session, location.id):
            troubles.append(f"{location.name}: {trouble}")
    return troubles


def locations_with_copies(session: Session, instrument_id: uuid.UUID | None = None) -> Sequence[StorageLocation]:
    """The locations that hold copies, by name, disabled ones too; with ``instrument_id`` copies of its files."""
    copies = select(Transfer.id).where(Transfer.storage_location_id == StorageLocation.id, IS_COMPLETED)
    if instrument_id is not None:
        copies = copies.where(Transfer.instrument_id == instrument_id)
    return session.scalars(select(StorageLocation).where(copies.exists()).order_by(StorageLocation.name)).all()


def last_trouble(session: Session, location_id: uuid.UUID) -> str | None:
    """What the last nightly sweep over a location could not do; None once the location was released since."""
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


def _fixity_state(session: Session, which: ColumnElement[bool], now: datetime) -> FixityState:
    late = or_(Transfer.last_verified_at.is_(None), Transfer.last_verified_at < now - INTERVAL)
    never = func.count().filter(Transfer.last_verified_at.is_(None))
    copies, oldest, overdue, unread = session.execute(
        select(func.count(), func.min(Transfer.last_verified_at), func.count().filter(late), never).where(
            which, IS_COMPLETED
        )
    ).one()
    damaged = session.scalar(select(func.count()).select_from(Transfer).where(which, is_unrepaired()))
    return FixityState(copies, oldest, overdue, damaged or 0, unread)


def checks_of_file(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FixityCheck]:
    """The re-readings of all copies of a file, newest first. Raises ``NotFound`` for what ``viewer`` may not see."""
    file_by_id(session, viewer, file_id)
    return page_of(session, select(FixityCheck).where(FixityCheck.file_id == file_id), _NEWEST_CHECK, request)


def sweeps(session: Session, request: PageRequest) -> Page[FixitySweep]:
    """All sweeps, newest first."""
    return page_of(session, select(FixitySweep), _NEWEST_SWEEP, request)


def holds(session: Session, request: PageRequest) -> Page[FixityHold]:
    """All holds, released ones too, newest first."""
    return page_of(session, select(FixityHold), _NEWEST_HOLD, request)
