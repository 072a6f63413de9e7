"""Doubts: a copy that can't be read is either damaged itself, or its location is in trouble.

What tells is whether other copies there can be read, before and after it was tried again: a device with a bad sector
refuses one file for ever and gives the others; a location that is not mounted, or whose server is silent, gives none.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from streamweave.catalog.tables import FixityOutcome
from streamweave.errors import StorageError, StreamWeaveError
from streamweave.fixity.rereading import ArchivedCopy, ByteListener, Examination, Finding, look
from streamweave.storage.base import Storage

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

    def reread(self, copies: Sequence[ArchivedCopy]) -> list[Finding]:
        """What is found of each copy. Raises a ``StorageError`` when it is the location that can't be read."""
        self._doubts_in_a_row = 0
        with ThreadPoolExecutor(READERS, thread_name_prefix="reread") as threads:
            looks = list(threads.map(self._look, copies))
        findings = [each for each in looks if isinstance(each, Finding)]
        doubts = [each for each in looks if isinstance(each, _Doubt)]
        if not doubts:
            return findings
        intact = [each.copy for each in findings if each.outcome == FixityOutcome.INTACT]
        witnesses = [*self._find_witnesses(copies, WITNESSES), *intact[:WITNESSES]]
        return findings + self._settled(doubts, witnesses)

    def _look(self, copy: ArchivedCopy) -> Finding | _Doubt:
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

    def _settled(self, doubts: Sequence[_Doubt], witnesses: Sequence[ArchivedCopy]) -> list[Finding]:
        self._wait(PAUSE_SECONDS)
        self._expect_one_readable(witnesses, doubts[0].error)
        findings = [self._look_again(doubt.copy) for doubt in doubts]
        for finding in findings:
            if finding.outcome == FixityOutcome.UNREADABLE:  # it may have failed while we tried the others
                self._expect_one_readable(witnesses, doubts[0].error)
                break
        return findings

    def _look_again(self, copy: ArchivedCopy) -> Finding:
        try:
            return look(self._storage, copy, self._examine, self._on_bytes)
        except StorageError as error:
            return Finding(copy, FixityOutcome.UNREADABLE, f"it can't be read, and others can: {error}")

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
