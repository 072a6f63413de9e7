"""Copy workers: the threads that read a share and prove the copies, side by side.

Each *reader* has a connection of its own. Small files are read many in one request and passed in batches, over a short
queue, to *provers*, which write them, wait for the device, and read them back. A reader that takes a large file copies
it to its end, with threads of its own for hashing, writing and reading back. A large file that goes to several storage
locations is read for one after the other: a server shows its true mtime only while no client has it open.

The first reader takes small files only, so that large ones never hold them up; the next ones take large files first, so
that many small ones never hold those up. No more than ``SMALL_AT_ONCE`` take small ones: each has many under way, and
more would compete for the same connection. An instrument with a single connection has its small files read first.

Memory is bounded by bytes: two batches in the queue, one at each prover, one at each reader besides what its connection
has under way, and a few pieces of each of at most ``LARGE_AT_ONCE`` large files.
"""

import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from queue import Empty, Queue, SimpleQueue

from streamweave.errors import FileReadFailed, SourceError, SourceFileError, SourceUnreachable, StreamWeaveError
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import (
    Batch,
    Copied,
    Failed,
    Finished,
    ReadResult,
    copy_proven,
    prove_batch,
    unexpected,
)
from streamweave.sources.base import WHOLE_FILE_BYTES, Source, SourceFile
from streamweave.storage.base import Storage

SMALL_AT_ONCE = 2
LARGE_AT_ONCE = 3
PROVERS = 2
BATCHES_AHEAD = 2
LOSSES_IN_A_ROW = 3
"""So many files in a row may lose the connection though they can be opened; with one more, the share is at fault."""


def is_large(claim: Claim) -> bool:
    """Whether a file is opened and read in pieces, rather than in one go with many others."""
    return claim.size_bytes > WHOLE_FILE_BYTES or claim.is_unfinished


class WorkQueue:
    """Safe to share between threads. It closes when ``may_begin`` returns False to a reader that wants a file."""

    def __init__(self, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._may_begin = may_begin
        self._small: deque[Claim] = deque()
        self._large: deque[Claim] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, claims: Iterable[Claim]) -> None:
        """Append claims, in the order given."""
        with self._changed:
            for claim in claims:
                (self._large if is_large(claim) else self._small).append(claim)
            self._changed.notify_all()

    def next_small(self, *, after_large: bool = False) -> Claim | None:
        """Take a small file, if one waits; with ``after_large`` only if no large one does."""
        with self._changed:
            return None if after_large and self._large else self._next(self._small)

    def next_large(self) -> Claim | None:
        with self._changed:
            return self._next(self._large)

    def _next(self, waiting: deque[Claim]) -> Claim | None:
        if not waiting or self._closed:
            return None
        if not self._may_begin():
            self.close()
            return None
        return waiting.popleft()

    def wait(self, *, small: bool, large: bool) -> bool:
        """Return True when a file waits of a kind that may be taken, False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (small and self._small) or (large and self._large))
            return not self._closed

    def waiting(self) -> tuple[int, int]:
        """How many small and how many large files wait."""
        with self._changed:
            return len(self._small), len(self._large)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self, unread: Iterable[Claim] = ()) -> None:
        """From now on nothing is taken. What waits can be withdrawn, and so can ``unread``: taken but not read."""
        with self._changed:
            self._small.extend(unread)
            self._closed = True
            self._changed.notify_all()

    def withdraw(self, whether: Callable[[Claim], bool] = lambda claim: True) -> list[Claim]:
        """Remove and return the claims that no reader has begun and that ``whether`` is true of."""
        with self._changed:
            waiting = [*self._small, *self._large]
            self._small = deque(claim for claim in self._small if not whether(claim))
            self._large = deque(claim for claim in self._large if not whether(claim))
            return [claim for claim in waiting if whether(claim)]


ByteListener = Callable[[Claim, int], None]


class CopyWorkers:
    """Copies what is put on ``queue``, until that is closed.

    ``on_bytes`` is called in the readers' threads, before a small file is requested and whenever a piece of a large one
    has arrived, with the number of bytes; it may wait to slow the reading down. ``may_begin`` is called before each
    file; once it returns False, nothing more is begun.
    """

    def __init__(
        self,
        connections: int,
        open_source: Callable[[], Source],
        storages: Mapping[uuid.UUID, Storage],
        on_bytes: ByteListener,
        may_begin: Callable[[], bool],
    ) -> None:
        self.queue = WorkQueue(may_begin)
        self._open_source = open_source
        self._storages = storages
        self._on_bytes = on_bytes
        self._batches: Queue[Batch | None] = Queue(BATCHES_AHEAD)
        self._file_locks: defaultdict[uuid.UUID, threading.Lock] = defaultdict(threading.Lock)
        self._finished: SimpleQueue[Finished | Exception] = SimpleQueue()
        self._faults = ConnectionFault()
        self._readers = [self._start(self._read, number, connections == 1) for number in range(connections)]
        self._provers = [self._start(self._prove) for _ in range(PROVERS)]

    def finished(self, patience_seconds: float) -> Finished:
        """What was finished since the last call; waits so long for it. Raises what ended one of the threads."""
        finished: list[Copied | Failed] = []
        try:
            item = self._finished.get(timeout=patience_seconds)
            while not isinstance(item, Exception):
                finished += item
                item = self._finished.get_nowait()
        except Empty:
            return finished
        raise item

    def close(self) -> None:
        """Begin nothing more, finish what was begun, and close the connections."""
        self.queue.close()
        for reader in self._readers:
            reader.join()
        for _ in self._provers:
            self._batches.put(None)
        for prover in self._provers:
            prover.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=self._report_errors, args=(work, *arguments), name=work.__name__.strip("_"))
        thread.start()
        return thread

    def _report_errors(self, work: Callable[..., None], *arguments: object) -> None:
        """A bug ends the whole run, rather than one thread that others then wait for."""
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 - ``finished`` raises it
            self.queue.close()
            self._finished.put(error)

    def _read(self, number: int, is_only_one: bool) -> None:
        takes_small = number < SMALL_AT_ONCE
        takes_large = is_only_one or 1 <= number <= LARGE_AT_ONCE
        if not self.queue.wait(small=takes_small, large=takes_large):
            return
        try:
            source = self._open_source()
        except SourceError as error:
            self._share_is_lost(error)
            return
        with closing(source):
            small_files = SmallFilesReader(
                source, self.queue, self._batches.put, self._on_bytes, self._faults, after_large=number > 0
            )
            while self.queue.wait(small=takes_small, large=takes_large):
                if is_only_one:
                    small_files.read()
                if takes_large and (claim := self.queue.next_large()):
                    self._finished.put([self._copy_large(source, claim)])
                elif takes_small:
                    small_files.read()

    def _copy_large(self, source: Source, claim: Claim) -> Copied | Failed:
        storage = self._storages[claim.storage_location_id]
        try:
            with self._file_locks[claim.file_id]:
                digest = copy_proven(source, storage, claim, partial(self._on_bytes, claim))
            self._faults.file_was_read()
            return Copied(claim, digest)
        except SourceUnreachable as error:
            cause = self._faults.error_for(source, claim, error)
            if cause is error:
                self.queue.close()
            return Failed(claim, cause)
        except StreamWeaveError as error:
            if isinstance(error, SourceError) and not isinstance(error, SourceFileError):
                self.queue.close()
            return Failed(claim, error)
        except Exception as error:  # noqa: BLE001 - it is about this file, and must not stop the others
            return unexpected(claim, error)

    def _share_is_lost(self, error: SourceError) -> None:
        """Put the error on record with a file that was to be read."""
        claim = self.queue.next_small() or self.queue.next_large()
        self.queue.close()
        if claim:
            self._finished.put([Failed(claim, error)])

    def _prove(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                self._finished.put(prove_batch(batch, self._storages))
            except Exception as error:  # noqa: BLE001 - it is about these files, and must not stop the others
                self._finished.put([unexpected(claim, error) for claim, _ in batch.read])


class ConnectionFault:
    """Whose fault the lost connections of one run are: the share's, or that of the file that was being read.

    A bad sector, or a scanner on the server, can let a file end every connection on which it is read; then the others
    must still be archived. Each loss came twice at the same place. A file is at fault only where others could be read.
    """

    def __init__(self) -> None:
        self._has_read = False
        self._in_a_row = 0

    def file_was_read(self) -> None:
        """The share answers, whatever was lost before."""
        self._has_read = True
        self._in_a_row = 0

    def error_for(self, source: Source, claim: Claim, error: SourceUnreachable) -> SourceError:
        """The error to record with the file: that it alone can't be read, or ``error`` if it is the share's fault."""
        self._in_a_row += 1
        if not self._has_read or self._in_a_row > LOSSES_IN_A_ROW or not answers(source, claim):
            return error
        return FileReadFailed(f"{claim.source_path}: the connection is lost whenever it is read: {error}")


@dataclass
class SmallFilesReader:
    """Reads the small files of a work queue over one connection, and passes them on in batches.

    ``on_bytes`` is called before a file is requested, and may wait. With ``after_large`` the reading ends when a
    large file waits.
    """

    source: Source
    queue: WorkQueue
    pass_on: Callable[[Batch], None]
    on_bytes: ByteListener
    faults: ConnectionFault
    after_large: bool = False

    def __post_init__(self) -> None:
        self._batch = Batch()
        self._requested: deque[Claim] = deque()
        self._lost_on: deque[Claim] = deque()
        self._lost_once: set[uuid.UUID] = set()
        self._losses_in_a_row = 0

    def read(self) -> None:
        """Read until nothing waits any more.

        When the connection is lost, the files requested on it are requested again over a fresh one, one by one, and the
        file that was being read comes last: so one that breaks connections affects no others, and is passed on as
        unreadable if it is at fault. When the share is, or fails in another way, the queue is closed: the requested
        file is passed on with the error, and those behind it were not read.
        """
        while True:
            try:
                for claim in list(self._requested):
                    self._ask([claim])
                self._ask(self._taken())
                self._ask(self._lost())
                return self._pass_batch_on()
            except SourceUnreachable as error:
                if not self._set_aside(error):
                    return self._give_up(error)
            except SourceError as error:
                return self._give_up(error)
            except Exception as error:
                if not self._requested:
                    raise
                self._take(unexpected(self._requested[0], error).error)

    def _taken(self) -> Iterator[Claim]:
        while claim := self.queue.next_small(after_large=self.after_large):
            self._requested.append(claim)
            self.on_bytes(claim, claim.size_bytes)
            yield claim

    def _lost(self) -> Iterator[Claim]:
        while self._lost_on:
            self._requested.append(self._lost_on.popleft())
            yield self._requested[-1]

    def _ask(self, claims: Iterable[Claim]) -> None:
        files = (SourceFile(claim.source_path, claim.size_bytes, claim.mtime) for claim in claims)
        for result in self.source.read_whole(files):
            self.faults.file_was_read()
            self._losses_in_a_row = 0
            self._take(result)

    def _take(self, result: ReadResult) -> None:
        self._batch.add(self._requested.popleft(), result)
        if self._batch.is_full:
            self._pass_batch_on()

    def _set_aside(self, error: SourceUnreachable) -> bool:
        """Whether to skip the file that was being read, the first of those requested."""
        self._losses_in_a_row += 1
        if not self._requested or self._losses_in_a_row > LOSSES_IN_A_ROW:
            return False
        first = self._requested[0]
        if self._losses_in_a_row > 1 and not answers(self.source, first):
            return False
        if first.claim_id not in self._lost_once:
            self._lost_once.add(first.claim_id)
            self._lost_on.append(self._requested.popleft())
            return True
        cause = self.faults.error_for(self.source, first, error)
        if cause is not error:
            self._take(cause)
        return cause is not error

    def _give_up(self, error: SourceError) -> None:
        """Report the error with one file, if need be with one that was not requested yet; all others are not begun."""
        unread = [*self._requested, *self._lost_on]
        self._requested.clear()
        self._lost_on.clear()
        if not unread and (waiting := self.queue.next_small() or self.queue.next_large()):
            unread = [waiting]
        self.queue.close(unread=unread[1:])
        if unread:
            self._batch.add(unread[0], error)
        self._pass_batch_on()

    def _pass_batch_on(self) -> None:
        if self._batch.read:
            self.pass_on(self._batch)
        self._batch = Batch()


def answers(source: Source, claim: Claim) -> bool:
    """Whether the server opens and closes the file, over a fresh connection, when nothing is read of it."""
    try:
        source.has_open_writer(claim.source_path)
    except SourceFileError:
        return True
    except SourceError:
        return False
    return True
