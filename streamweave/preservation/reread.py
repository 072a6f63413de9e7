"""Re-reading: an archived copy is read again, all of it, and held against what the catalog says.

Doubts: a copy that can't be read is either damaged itself, or its location is in trouble.

What tells is whether other copies there can be read, before and after it was tried again: a device with a bad sector
refuses one file for ever and gives the others; a location that is not mounted, or whose server is silent, gives none.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from streamweave.catalog.tables import FixityOutcome
from streamweave.errors import StorageError, StreamWeaveError
from streamweave.harvest.copy_verify import digest_of
from streamweave.storage.base import Storage

MISSING = "it is no longer there"

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
    """What a look at a copy found; ``found`` says what is wrong, and is None for an intact copy."""

    copy: ArchivedCopy
    outcome: FixityOutcome
    found: str | None = None


Examination = Callable[[Storage, ArchivedCopy, ByteListener], CopyCheck]
"""Looks at a copy. Raises a ``StorageError`` when nothing can be said about it, or when it is not there."""


def read_whole(storage: Storage, copy: ArchivedCopy, on_bytes: ByteListener) -> CopyCheck:
    """Read all of it, from the device where that can be asked for, and compare size and SHA-256."""
    found = digest_of(_heard(storage.read(copy.destination_path, uncached=True), copy, on_bytes))
    if (found.size_bytes, found.sha256) == (copy.size_bytes, copy.sha256):
        return CopyCheck(copy, FixityOutcome.INTACT)
    return CopyCheck(
        copy,
        FixityOutcome.DAMAGED,
        f"{found.size_bytes} bytes with SHA-256 {found.sha256}; "
        f"archived were {copy.size_bytes} bytes with SHA-256 {copy.sha256}",
    )


def read_the_end(storage: Storage, copy: ArchivedCopy, _: ByteListener) -> CopyCheck:
    """Read its last byte, and whether another follows: that it stands there, and is as long as it was."""
    last = max(copy.size_bytes - 1, 0)
    pieces = storage.read(copy.destination_path, last)
    try:
        size = last + len(next(pieces, b""))
    finally:
        pieces.close()
    if size == copy.size_bytes:
        return CopyCheck(copy, FixityOutcome.INTACT)
    told = "more" if size > copy.size_bytes else "fewer"
    return CopyCheck(copy, FixityOutcome.DAMAGED, f"it has {told} than the {copy.size_bytes} bytes that were archived")


def look(storage: Storage, copy: ArchivedCopy, examine: Examination, on_bytes: ByteListener) -> CopyCheck:
    """What an examination finds, or that nothing stands there though its location does.

    Raises a ``StorageError`` when nothing can be said about it at present.
    """
    try:
        return examine(storage, copy, on_bytes)
    except StorageError:
        if storage.exists(copy.destination_path):
            raise
    return CopyCheck(copy, FixityOutcome.MISSING, MISSING)


def _heard(pieces: Iterator[bytes], copy: ArchivedCopy, on_bytes: ByteListener) -> Iterator[bytes]:
    for piece in pieces:
        on_bytes(copy, len(piece))
        yield piece


READERS = 4
PAUSE_SECONDS = 5.0
"""Before a copy that could not be read is tried again."""
DOUBTS_IN_A_ROW = 3
"""After so many the others of a batch are not tried before one of them could be read."""
WITNESSES = 3
"""So many other copies are tried before their location is said to be in trouble."""

FindWitnesses = Callable[[Sequence[ArchivedCopy], int], Sequence[ArchivedCopy]]


@dataclass(frozen=True, slots=True)
class _Doubt:
    copy: ArchivedCopy
    error: StorageError


class Rereader:
    """Re-reads copies of one location, several side by side.

    ``find_witnesses`` gives some other copies of the location than these, at most so many. ``on_bytes`` is called from
    several threads.
    """

    def __init__(
        self,
        storage: Storage,
        examine: Examination,
        find_witnesses: FindWitnesses,
        wait: Callable[[float], None],
        on_bytes: ByteListener = lambda copy, number_of_bytes: None,
    ) -> None:
        self._storage = storage
        self._examine = examine
        self._find_witnesses = find_witnesses
        self._wait = wait
        self._on_bytes = on_bytes
        self._doubts_in_a_row = 0
        self._last_error = StorageError("nothing was tried")

    def reread(self, copies: Sequence[ArchivedCopy]) -> list[CopyCheck]:
        """What is found of each copy. Raises a ``StorageError`` when it is the location that can't be read."""
        self._doubts_in_a_row = 0
        with ThreadPoolExecutor(READERS, thread_name_prefix="reread") as threads:
            looks = list(threads.map(self._look, copies))
        findings = [each for each in looks if isinstance(each, CopyCheck)]
        doubts = [each for each in looks if isinstance(each, _Doubt)]
        if not doubts:
            return findings
        intact = [each.copy for each in findings if each.outcome == FixityOutcome.INTACT]
        witnesses = [*self._find_witnesses(copies, WITNESSES), *intact[:WITNESSES]]
        return findings + self._settled(doubts, witnesses)

    def _look(self, copy: ArchivedCopy) -> CopyCheck | _Doubt:
        if self._doubts_in_a_row >= DOUBTS_IN_A_ROW:
            return _Doubt(copy, self._last_error)
        try:
            finding = look(self._storage, copy, self._examine, self._on_bytes)
        except StorageError as error:
            self._doubts_in_a_row += 1
            self._last_error = error
            return _Doubt(copy, error)
        self._doubts_in_a_row = 0
        return finding

    def _settled(self, doubts: Sequence[_Doubt], witnesses: Sequence[ArchivedCopy]) -> list[CopyCheck]:
        self._wait(PAUSE_SECONDS)
        self._expect_one_readable(witnesses, doubts[0].error)
        findings = [self._look_again(doubt.copy) for doubt in doubts]
        for finding in findings:
            if finding.outcome == FixityOutcome.UNREADABLE:  # it may have failed while we tried the others
                self._expect_one_readable(witnesses, doubts[0].error)
                break
        return findings

    def _look_again(self, copy: ArchivedCopy) -> CopyCheck:
        try:
            return look(self._storage, copy, self._examine, self._on_bytes)
        except StorageError as error:
            return CopyCheck(copy, FixityOutcome.UNREADABLE, f"it can't be read, and others can: {error}")

    def _expect_one_readable(self, witnesses: Sequence[ArchivedCopy], otherwise: StreamWeaveError) -> None:
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
