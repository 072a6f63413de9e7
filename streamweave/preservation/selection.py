"""Selection: which copies of a storage location are re-read next. Those of deleted instruments are re-read too.

Work is counted in bytes, a file costing some more than it has. Each night takes an even share of all there is, the
longest unread first: what was archived on one day, were it a million files, is spread over the nights that follow. A
copy whose interval is nearly over is read even beyond the share; so missed nights are made up for.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import IS_COMPLETED, FileRecord, FileVersion, Transfer
from streamweave.harvest.report import FILE_COSTS_BYTES
from streamweave.preservation.reread import ArchivedCopy

INTERVAL = timedelta(days=90)
"""Every copy is re-read at least so often: an interval that NDSA's levels of preservation know from practice."""
SPREAD_NIGHTS = 80
"""An even share is one of so many: ten nights of an interval may be missed before anything is late."""
SHORTLY = timedelta(days=3)
"""A copy is due so long before its interval is over."""
LEAST_WORK = 1 << 30
"""A share is never smaller: small archives are re-read more often, which costs minutes."""
LONGEST_NIGHT = timedelta(hours=20)
"""A sweep ends after so long, so that it is over when the next night's begins."""

_LONGEST_UNREAD_FIRST = Transfer.last_verified_at.asc().nulls_first(), Transfer.instrument_id


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a storage location holds: how many copies, and their bytes in all."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Quota:
    """One night's. ``work`` is an even share; what was last read before ``due_before`` is read in any case."""

    work: int
    due_before: datetime

    def taken(self, copies: Sequence[ArchivedCopy], work_done: int) -> list[ArchivedCopy]:
        """The first of these copies, as far as the quota reaches after the work that is done."""
        taken = []
        for copy in copies:
            is_due = copy.last_verified_at is None or copy.last_verified_at < self.due_before
            if work_done >= self.work and not is_due:
                break
            taken.append(copy)
            work_done += work_of(1, copy.size_bytes)
        return taken


def quota_of(holdings: Holdings, now: datetime) -> Quota:
    """Tonight's quota."""
    share = -(-work_of(holdings.files, holdings.size_bytes) // SPREAD_NIGHTS)
    return Quota(max(share, LEAST_WORK), now - INTERVAL + SHORTLY)


def within(copies: Sequence[ArchivedCopy], size_bytes: int) -> list[ArchivedCopy]:
    """The first of these copies that have so many bytes in all, or more with the last of them."""
    read_before = accumulate((copy.size_bytes for copy in copies), initial=0)
    return [copy for copy, before in zip(copies, read_before, strict=False) if before < size_bytes]


def work_of(files: int, size_bytes: int) -> int:
    """How much work it is to read so many files of so many bytes in all."""
    return files * FILE_COSTS_BYTES + size_bytes


def holdings_of(session: Session, location_id: uuid.UUID) -> Holdings:
    """What the location holds according to the catalog."""
    files, size_bytes = session.execute(
        select(func.count(), func.coalesce(func.sum(FileVersion.size_bytes), 0))
        .select_from(Transfer)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(Transfer.storage_location_id == location_id, IS_COMPLETED)
    ).one()
    return Holdings(files, int(size_bytes))


def copies_found_damaged(session: Session, location_id: uuid.UUID, before: datetime, limit: int) -> list[ArchivedCopy]:
    """Copies that the last re-reading found damaged and that are not marked damaged, unless re-read since."""
    query = _copies_in(location_id).where(Transfer.damage.is_not(None), Transfer.last_verified_at < before)
    return _found(session, query.order_by(Transfer.damage_found_at, Transfer.id).limit(limit))


def longest_unread_copies(session: Session, location_id: uuid.UUID, before: datetime, limit: int) -> list[ArchivedCopy]:
    """The copies that were not re-read for the longest time, and not since ``before``."""
    unread = or_(Transfer.last_verified_at.is_(None), Transfer.last_verified_at < before)
    return _found(session, _copies_in(location_id).where(unread).order_by(*_LONGEST_UNREAD_FIRST).limit(limit))


def copies_by_id(session: Session, location_id: uuid.UUID, after: uuid.UUID | None, limit: int) -> list[ArchivedCopy]:
    """The copies whose transfers have the next ids; from the first on without ``after``."""
    query = _copies_in(location_id).order_by(Transfer.id).limit(limit)
    return _found(session, query if after is None else query.where(Transfer.id > after))


def other_copies(
    sessions: Sessions, location_id: uuid.UUID, than: Sequence[ArchivedCopy], limit: int
) -> list[ArchivedCopy]:
    """Some copies of the location, not known to be damaged, that are not among these."""
    known = [copy.transfer_id for copy in than]
    query = _copies_in(location_id).where(~is_one_of(Transfer.id, known), Transfer.damage.is_(None))
    with sessions() as session:
        return _found(session, query.order_by(*_LONGEST_UNREAD_FIRST).limit(limit))


def _copies_in(location_id: uuid.UUID) -> Select[Any]:
    return (
        select(
            Transfer.id,
            Transfer.file_id,
            Transfer.destination_path,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.sha256,
            Transfer.last_verified_at,
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(Transfer.storage_location_id == location_id, IS_COMPLETED)
    )


def _found(session: Session, query: Select[Any]) -> list[ArchivedCopy]:
    return [ArchivedCopy(*row) for row in session.connection().execute(query)]
