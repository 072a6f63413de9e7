"""Lanes: the threads that read a share and prove the copies, side by side.

Each *reader* has a connection of its own. Small files are read many in one go and handed on in batches, over a short
queue, to *provers*, which write them, wait for the device, and read them back. A reader that takes a large file copies
it to its end, with threads of its own for hashing, writing and reading back.

A large file that goes to several storage locations is read for one after the other: a server tells the truth about it
only while nobody has it open.

The first reader takes small files only, so that large ones never hold them up; the next ones take large files first, so
that many small ones never hold those up. No more than ``SMALL_AT_ONCE`` take small ones: each has many under way, and
more would only get into each other's way. An instrument with a single connection has its small files read first.

What is in memory at any time is bounded by bytes: two batches in the queue, one at each prover, one at each reader
beside what its connection has under way, and a few pieces of each of at most ``LARGE_AT_ONCE`` large files.
"""

import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from queue import Empty, Queue, SimpleQueue

from streamweave.errors import SourceError, SourceFileError, SourceUnreachable, StreamWeaveError
from streamweave.harvest.agenda import Agenda
from streamweave.harvest.blame import Blame
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Copied, Finished, NotCopied, unexpected
from streamweave.harvest.large_files import copy_proven
from streamweave.harvest.proving import Batch, prove_batch
from streamweave.harvest.small_files import SmallFilesReader
from streamweave.sources.base import Source
from streamweave.storage.base import Storage

SMALL_AT_ONCE = 2
LARGE_AT_ONCE = 3
PROVERS = 2
BATCHES_AHEAD = 2

ByteListener = Callable[[Claim, int], None]


class Lanes:
    """Copies what is put on the agenda, until that is closed.

    ``on_bytes`` is called in the readers' threads, before a small file is asked for and whenever a piece of a large one
    has arrived, with the number of bytes; it may take its time to slow the reading down. ``may_begin`` is asked before
    each file; once it says no, nothing more is begun.
    """

    def __init__(
        self,
        connections: int,
        open_source: Callable[[], Source],
        storages: Mapping[uuid.UUID, Storage],
        on_bytes: ByteListener,
        may_begin: Callable[[], bool],
    ) -> None:
        self.agenda = Agenda(may_begin)
        self._open_source = open_source
        self._storages = storages
        self._on_bytes = on_bytes
        self._batches: Queue[Batch | None] = Queue(BATCHES_AHEAD)
        self._open_for_copying: defaultdict[uuid.UUID, threading.Lock] = defaultdict(threading.Lock)
        self._finished: SimpleQueue[Finished | Exception] = SimpleQueue()
        self._blame = Blame()
        self._readers = [self._start(self._read, number, connections == 1) for number in range(connections)]
        self._provers = [self._start(self._prove) for _ in range(PROVERS)]

    def finished(self, patience_seconds: float) -> Finished:
        """All that was finished since the last question, waited for if need be; nothing when that takes longer.

        Raises what ended one of the threads.
        """
        finished: list[Copied | NotCopied] = []
        try:
            told = self._finished.get(timeout=patience_seconds)
            while not isinstance(told, Exception):
                finished += told
                told = self._finished.get_nowait()
        except Empty:
            return finished
        raise told

    def close(self) -> None:
        """Begin nothing more, finish what was begun, and let go of the connections."""
        self.agenda.close()
        for reader in self._readers:
            reader.join()
        for _ in self._provers:
            self._batches.put(None)
        for prover in self._provers:
            prover.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=self._tell_of_errors, args=(work, *arguments), name=work.__name__.strip("_"))
        thread.start()
        return thread

    def _tell_of_errors(self, work: Callable[..., None], *arguments: object) -> None:
        """A fault of our own ends the whole run, rather than a thread that is then waited for in vain."""
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 - it is raised again where the run is led
            self.agenda.close()
            self._finished.put(error)

    def _read(self, number: int, is_only_one: bool) -> None:
        takes_small = number < SMALL_AT_ONCE
        takes_large = is_only_one or 1 <= number <= LARGE_AT_ONCE
        if not self.agenda.wait(small=takes_small, large=takes_large):
            return
        try:
            source = self._open_source()
        except SourceError as error:
            self._share_is_lost(error)
            return
        with closing(source):
            small_files = SmallFilesReader(
                source, self.agenda, self._batches.put, self._before_reading, self._blame, after_large=number > 0
            )
            while self.agenda.wait(small=takes_small, large=takes_large):
                if is_only_one:
                    small_files.read()
                if takes_large and (claim := self.agenda.next_large()):
                    self._finished.put([self._copy_large(source, claim)])
                elif takes_small:
                    small_files.read()

    def _before_reading(self, claim: Claim) -> None:
        self._on_bytes(claim, claim.size_bytes)

    def _copy_large(self, source: Source, claim: Claim) -> Copied | NotCopied:
        storage = self._storages[claim.storage_location_id]
        try:
            with self._open_for_copying[claim.file_id]:
                digest = copy_proven(source, storage, claim, partial(self._on_bytes, claim))
            self._blame.acquit()
            return Copied(claim, digest)
        except SourceUnreachable as error:
            judged = self._blame.for_losing(source, claim, error)
            if judged is error:
                self.agenda.close()
            return NotCopied(claim, judged)
        except StreamWeaveError as error:
            if isinstance(error, SourceError) and not isinstance(error, SourceFileError):
                self.agenda.close()
            return NotCopied(claim, error)
        except Exception as error:  # noqa: BLE001 - it is about this file, and must not stop the others
            return unexpected(claim, error)

    def _share_is_lost(self, error: SourceError) -> None:
        """Put the error on record with a file that was to be read."""
        claim = self.agenda.next_small() or self.agenda.next_large()
        self.agenda.close()
        if claim:
            self._finished.put([NotCopied(claim, error)])

    def _prove(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._finished.put(prove_batch(batch, self._storages))
            except Exception as error:  # noqa: BLE001 - it is about these files, and must not stop the others
                self._finished.put([unexpected(claim, error) for claim, _ in batch.answers])
