"""Re-reading: archived copies are read again, and compared with what the catalog says.

A copy that can't be read is either damaged itself, or its location is in trouble. Which of the two shows when other
copies there are read, before and after it is tried again: a device with a bad sector refuses one file permanently and
gives the others; a location that is not mounted, or whose server is silent, gives none.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from streamweave.catalog.tables import FixityOutcome
from streamweave.errors import StorageError
from streamweave.harvest.copy_verify import digest_of
from streamweave.storage.base import Storage

READERS = 4
PAUSE_SECONDS = 5.0
"""Before a copy that could not be read is tried again."""
FAILURES_IN_A_ROW = 3
"""After so many the others of a batch are not tried before one of them could be read."""
WITNESSES = 3
"""So many other copies are tried before their location is said to be in trouble."""

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

    def reported(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            on_bytes(copy, len(piece))
            yield piece

    found = digest_of(reported(storage.read(copy.destination_path, uncached=True)))
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


class CopyChecker:
    """Checks copies of one location by ``examine``, several side by side.

    ``find_witnesses`` gives some other copies of the location than these, at most so many. ``on_bytes`` is called from
    several threads.
    """

    def __init__(
        self,
        storage: Storage,
        examine: Examination,
        find_witnesses: Callable[[Sequence[ArchivedCopy], int], Sequence[ArchivedCopy]],
        wait: Callable[[float], None],
        on_bytes: ByteListener = lambda copy, number_of_bytes: None,
    ) -> None:
        self._storage = storage
        self._examine = examine
        self._find_witnesses = find_witnesses
        self._wait = wait
        self._on_bytes = on_bytes
        self._failures_in_a_row = 0
        self._last_error = StorageError("nothing was tried")

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
        witnesses = [*self._find_witnesses(copies, WITNESSES), *intact[:WITNESSES]]
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
            return self._examine(self._storage, copy, self._on_bytes)
        except StorageError:
            if self._storage.exists(copy.destination_path):
                raise
        return CopyCheck(copy, FixityOutcome.MISSING, "it is no longer there")

    def _retried(self, failures: Sequence[_ReadFailure], witnesses: Sequence[ArchivedCopy]) -> list[CopyCheck]:
        self._wait(PAUSE_SECONDS)
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
        pieces = self._storage.read(copy.destination_path, 0, 1)
        try:
            next(pieces, b"")
        except StorageError:
            return False
        finally:
            pieces.close()
        return True
