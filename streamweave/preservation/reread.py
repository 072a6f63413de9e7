"""Re-reading: which copies of a storage location are read again next, and how they are compared with the catalog.

A copy that can't be read is either damaged itself, or its location is in trouble. Which of the two shows when other
copies there are read, before and after it is tried again: a device with a bad sector refuses one file permanently and
gives the others; a location that is not mounted, or whose server is silent, gives none.

Work is counted in bytes, a file costing some more than it has. Each night takes an even share of all there is, the
longest unread first: what was archived on one day, were it a million files, is spread over the nights that follow. A
copy whose interval is nearly over is read even beyond the share; so missed nights are made up for. Copies of deleted
instruments are re-read too.
"""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import IS_COMPLETED, FileRecord, FileVersion, FixityOutcome, Transfer
from streamweave.errors import StorageError
from streamweave.harvest.copy_verify import digest_of
from streamweave.harvest.progress import FILE_COSTS_BYTES
from streamweave.storage.base import Storage

READERS = 4
PAUSE_SECONDS = 5.0
"""Before a copy that could not be read is tried again."""
FAILURES_IN_A_ROW = 3
"""After so many the others of a batch are not tried before one of them could be read."""
WITNESSES = 3
"""So many other copies are tried before their location is said to be in trouble."""
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

ByteListener = Callable[["ArchivedCopy", int], None]


@dataclass(frozen=True, slots=True)
class ArchivedCopy:
    """A copy of a version, as the catalog knows it. ``last_verified_at`` is UTC."""

    transfer_id: uuid.UUID
    file_id: uuid.UUID
    destination_path: str
    source_path: str
    size_bytes: int
    sha256: str
    last_verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class CopyCheck:
    """The result of checking a copy; ``found`` says what is wrong, and is None for an intact copy."""

    copy: ArchivedCopy
    outcome: FixityOutcome
    found: str | None = None


@dataclass(frozen=True, slots=True)
class _ReadFailure:
    copy: ArchivedCopy
    error: StorageError


Examination = Callable[[Storage, ArchivedCopy, ByteListener], CopyCheck]
"""Checks a copy. Raises a ``StorageError`` when it can't be read, or does not exist."""


def check_content(storage: Storage, copy: ArchivedCopy, on_bytes: ByteListener) -> CopyCheck:
    """Read all of it, from the device where that can be asked for, and compare size and SHA-256."""
    found = digest_of(storage.read(copy.destination_path, uncached=True), partial(on_bytes, copy))
    if (found.size_bytes, found.sha256) == (copy.size_bytes, copy.sha256):
        return CopyCheck(copy, FixityOutcome.INTACT)
    return CopyCheck(
        copy,
        FixityOutcome.DAMAGED,
        f"{found.size_bytes} bytes with SHA-256 {found.sha256}; "
        f"archived were {copy.size_bytes} bytes with SHA-256 {copy.sha256}",
    )


def check_size(storage: Storage, copy: ArchivedCopy, _: ByteListener) -> CopyCheck:
    """Read its last byte, and whether another follows: it exists, and is as long as it was."""
    last = max(copy.size_bytes - 1, 0)
    pieces = storage.read(copy.destination_path, last)
    try:
        size = last + len(next(pieces, b""))
    finally:
        pieces.close()
    if size == copy.size_bytes:
        return CopyCheck(copy, FixityOutcome.INTACT)
    word = "more" if size > copy.size_bytes else "fewer"
    return CopyCheck(copy, FixityOutcome.DAMAGED, f"it has {word} than the {copy.size_bytes} bytes that were archived")


@dataclass
class CopyChecker:
    """Checks copies of one location by ``examine``, several side by side.

    ``find_witnesses`` gives some other copies of the location than these, at most so many. ``on_bytes`` is called from
    several threads.
    """

    storage: Storage
    examine: Examination
    find_witnesses: Callable[[Sequence[ArchivedCopy], int], Sequence[ArchivedCopy]]
    wait: Callable[[float], None]
    on_bytes: ByteListener = lambda copy, number_of_bytes: None
    _failures_in_a_row: int = 0
    _last_error: StorageError = field(default_factory=lambda: StorageError("nothing was tried"))

    def check(self, copies: Sequence[ArchivedCopy]) -> list[CopyCheck]:
        """The result for each copy. Raises a ``StorageError`` when it is the location that can't be read."""
        self._failures_in_a_row = 0
        with ThreadPoolExecutor(READERS, thread_name_prefix="reread") as threads:
            results = list(threads.map(self._attempt, copies))
        checks = [each for each in results if isinstance(each, CopyCheck)]
        failures = [each for each in results if isinstance(each, _ReadFailure)]
        if not failures:
            return checks
        intact = [each.copy for each in checks if each.outcome == FixityOutcome.INTACT]
        witnesses = [*self.find_witnesses(copies, WITNESSES), *intact[:WITNESSES]]
        return checks + self._retried(failures, witnesses)

    def _attempt(self, copy: ArchivedCopy) -> CopyCheck | _ReadFailure:
        if self._failures_in_a_row >= FAILURES_IN_A_ROW:
            return _ReadFailure(copy, self._last_error)
        try:
            check = self._checked(copy)
        except StorageError as error:
            self._failures_in_a_row += 1
            self._last_error = error
            return _ReadFailure(copy, error)
        self._failures_in_a_row = 0
        return check

    def _checked(self, copy: ArchivedCopy) -> CopyCheck:
        """Raises a ``StorageError`` when the copy exists and can't be read, or that is not known."""
        try:
            return self.examine(self.storage, copy, self.on_bytes)
        except StorageError:
            if self.storage.exists(copy.destination_path):
                raise
        return CopyCheck(copy, FixityOutcome.MISSING, "it is no longer there")

    def _retried(self, failures: Sequence[_ReadFailure], witnesses: Sequence[ArchivedCopy]) -> list[CopyCheck]:
        self.wait(PAUSE_SECONDS)
        self._expect_one_readable(witnesses, failures[0].error)
        checks = [self._second_attempt(failure.copy) for failure in failures]
        if any(check.outcome == FixityOutcome.UNREADABLE for check in checks):
            self._expect_one_readable(witnesses, failures[0].error)  # the location may have failed since
        return checks

    def _second_attempt(self, copy: ArchivedCopy) -> CopyCheck:
        try:
            return self._checked(copy)
        except StorageError as error:
            return CopyCheck(copy, FixityOutcome.UNREADABLE, f"it can't be read, and others can: {error}")

    def _expect_one_readable(self, witnesses: Sequence[ArchivedCopy], otherwise: StorageError) -> None:
        if not any(self._is_readable(witness) for witness in witnesses):
            raise otherwise

    def _is_readable(self, copy: ArchivedCopy) -> bool:
        pieces = self.storage.read(copy.destination_path, 0, 1)
        try:
            next(pieces, b"")
        except StorageError:
            return False
        finally:
            pieces.close()
        return True


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
