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

Small files: read many in one go over one connection, and hand them on in batches.

Blame: whose fault a lost connection is, the share's or that of the one file that was being read.

A bad sector under it, or a scanner on the server, can let a file end every connection on which it is read. It must not
pass for a share that is gone, or it would keep all others from being archived.
"""

import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from queue import Empty, Queue, SimpleQueue

from streamweave.errors import FileReadFailed, SourceError, SourceFileError, SourceUnreachable, StreamWeaveError
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import (
    Answer,
    Batch,
    Copied,
    Finished,
    NotCopied,
    copy_proven,
    prove_batch,
    unexpected,
)
from streamweave.harvest.work_queue import WorkQueue
from streamweave.sources.base import Source, SourceFile
from streamweave.storage.base import Storage

IN_A_ROW = 3
"""A share that lets files be opened, and then loses the connection on so many one after the other, is to blame."""


class ConnectionFault:
    """Judges over the losses of one run, over all of its connections, each of which came twice at the same place.

    A file is to blame only where others could be read: of a file that is alone nobody can tell.
    """

    def __init__(self) -> None:
        self._has_read = False
        self._in_a_row = 0

    def acquit(self) -> None:
        """A file was read: whatever was lost before, the share answers."""
        self._has_read = True
        self._in_a_row = 0

    def for_losing(self, source: Source, claim: Claim, error: SourceUnreachable) -> SourceError:
        """What to put on record of the file: that it alone can't be read, or ``error`` if it is the share's fault."""
        self._in_a_row += 1
        if not self._has_read or self._in_a_row > IN_A_ROW or not answers(source, claim):
            return error
        return FileReadFailed(f"{claim.source_path}: the connection is lost whenever it is read: {error}")


def answers(source: Source, claim: Claim) -> bool:
    """Whether the server opens and closes the file, over a fresh connection, when nothing is read of it."""
    try:
        source.has_open_writer(claim.source_path)
    except SourceFileError:
        return True
    except SourceError:
        return False
    return True


class SmallFilesReader:
    """Reads what an agenda has over one connection, and hands it on in batches.

    ``before_reading`` is called before a file is asked for, and may take its time. With ``after_large`` the reading
    ends when a large file waits.
    """

    def __init__(
        self,
        source: Source,
        agenda: WorkQueue,
        hand_on: Callable[[Batch], None],
        before_reading: Callable[[Claim], None],
        blame: ConnectionFault,
        *,
        after_large: bool = False,
    ) -> None:
        self._source = source
        self._blame = blame
        self._agenda = agenda
        self._hand_on = hand_on
        self._before_reading = before_reading
        self._after_large = after_large
        self._batch = Batch()
        self._asked: deque[Claim] = deque()
        self._lost_on: deque[Claim] = deque()
        self._lost_before: set[uuid.UUID] = set()
        self._losses_in_a_row = 0

    def read(self) -> None:
        """Read until nothing waits any more.

        When the connection is lost, what it still owes is asked for again over a fresh one, one by one, and the file
        that it was lost on last of all: so one that breaks connections takes no others along, and is handed on as one
        that can't be read if it is to blame. When the share is, or fails in another way, the agenda is closed: the file
        then asked for is handed on with the error, and those behind it were not read.
        """
        while True:
            try:
                for claim in list(self._asked):
                    self._ask([claim])
                self._ask(self._taken())
                self._ask(self._lost())
                return self._pass_on()
            except SourceUnreachable as error:
                if not self._set_aside(error):
                    return self._give_up(error)
            except SourceError as error:
                return self._give_up(error)
            except Exception as error:
                if not self._asked:
                    raise
                self._take(unexpected(self._asked[0], error).error)

    def _taken(self) -> Iterator[Claim]:
        while claim := self._agenda.next_small(after_large=self._after_large):
            self._asked.append(claim)
            self._before_reading(claim)
            yield claim

    def _lost(self) -> Iterator[Claim]:
        while self._lost_on:
            self._asked.append(self._lost_on.popleft())
            yield self._asked[-1]

    def _ask(self, claims: Iterable[Claim]) -> None:
        files = (SourceFile(claim.source_path, claim.size_bytes, claim.mtime) for claim in claims)
        for answer in self._source.read_whole(files):
            self._blame.acquit()
            self._losses_in_a_row = 0
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._batch.add(self._asked.popleft(), answer)
        if self._batch.is_full:
            self._pass_on()

    def _set_aside(self, error: SourceUnreachable) -> bool:
        """Whether to go on without the file that the connection was lost on, which was the first one owed."""
        self._losses_in_a_row += 1
        if not self._asked or self._losses_in_a_row > IN_A_ROW:
            return False
        first = self._asked[0]
        if self._losses_in_a_row > 1 and not answers(self._source, first):
            return False
        if first.claim_id not in self._lost_before:
            self._lost_before.add(first.claim_id)
            self._lost_on.append(self._asked.popleft())
            return True
        judged = self._blame.for_losing(self._source, first, error)
        if judged is not error:
            self._take(judged)
        return judged is not error

    def _give_up(self, error: SourceError) -> None:
        """Tell of the error with one file, be it one that nobody has asked for yet; all others are not begun."""
        owed = [*self._asked, *self._lost_on]
        self._asked.clear()
        self._lost_on.clear()
        if not owed and (waiting := self._agenda.next_small() or self._agenda.next_large()):
            owed = [waiting]
        self._agenda.close(unread=owed[1:])
        if owed:
            self._batch.add(owed[0], error)
        self._pass_on()

    def _pass_on(self) -> None:
        if self._batch.answers:
            self._hand_on(self._batch)
        self._batch = Batch()


SMALL_AT_ONCE = 2
LARGE_AT_ONCE = 3
PROVERS = 2
BATCHES_AHEAD = 2

ByteListener = Callable[[Claim, int], None]


class CopyWorkers:
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
        self.agenda = WorkQueue(may_begin)
        self._open_source = open_source
        self._storages = storages
        self._on_bytes = on_bytes
        self._batches: Queue[Batch | None] = Queue(BATCHES_AHEAD)
        self._open_for_copying: defaultdict[uuid.UUID, threading.Lock] = defaultdict(threading.Lock)
        self._finished: SimpleQueue[Finished | Exception] = SimpleQueue()
        self._blame = ConnectionFault()
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
