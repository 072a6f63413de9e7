"""Reading files: small ones whole, by one compound each (open, read, close), several under way at once; larger ones
with their first bytes at opening, and the rest in reads that overlap.

Of a small file one byte more than the listed size is asked for, which shows growth. The answers to its opening and its
closing hold size and time, so that no further request is needed.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from streamweave.errors import SourceFileError
from streamweave.sources.base import WHOLE_FILE_BYTES, SourceFile, WholeFile
from streamweave.sources.smb import answers
from streamweave.sources.smb.connection import CREDIT_BYTES, SHARE_ALL, SHARE_READ, ShareConnection, Ticket
from streamweave.sources.smb.errors import FILE, INTERNAL_ERROR, SHARING_VIOLATION, Refused

FIRST_READ_BYTES = CREDIT_BYTES  # every server grants this much, and most files are smaller
READ_BYTES = 1 << 20
READS_IN_FLIGHT = 8
CREDITS_KEPT_FREE = 8  # for other requests beside the reads
FILES_IN_FLIGHT = 16
CREDITS_OF_A_FILE = 3 + WHOLE_FILE_BYTES // CREDIT_BYTES


class OpenSmbFile:
    """A file that is open for reading. Others may write, rename and delete it at the same time.

    ``at_opening`` is its size and mtime before its first byte was read.

    Raises ``FileVanished``, ``FileDenied``, ``FileInUse`` or ``FileReadFailed`` when it can't be opened.
    """

    def __init__(self, connection: ShareConnection, source_path: str) -> None:
        self._connection = connection
        self._messages = connection.messages
        self._source_path = source_path
        path = connection.address.path_on_share(source_path)
        compound = [self._messages.open_file(path, SHARE_ALL), self._messages.read(0, FIRST_READ_BYTES)]
        with connection.faults(FILE, source_path):
            opening, first_read = connection.send(compound)
            self._reads: deque[tuple[int, int, Ticket]] = deque([(0, FIRST_READ_BYTES, first_read)])
            try:
                opened = answers.opened(connection.answer(opening))
            except BaseException:
                self._abandon_reads()
                raise
        self.at_opening, self._handle = opened.seen.as_source_file(source_path), opened.handle

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content in order, until the server says that there is no more: what the file gains is included."""
        while True:
            if self._reads and self._reads[0][0] != offset:
                self._abandon_reads()  # the opening asked for the beginning, or another caller read on
            with self._connection.faults(FILE, self._source_path):
                self._read_ahead(offset)
                _, length, ticket = self._reads.popleft()
                data = self._connection.data(ticket, length)
                if len(data) < length:
                    self._abandon_reads()  # what was asked for beyond the end would leave a gap if the file grows now
            if not data:
                return
            yield data
            offset += len(data)

    def _read_ahead(self, offset: int) -> None:
        """Have reads under way from ``offset`` to the size that the file had at its opening, or one read beyond it."""
        if self._reads:
            last_offset, last_length, _ = self._reads[-1]
            offset = last_offset + last_length
        while len(self._reads) < READS_IN_FLIGHT and (offset < self.at_opening.size_bytes or not self._reads):
            length = self._length_of_next_read(max(self.at_opening.size_bytes - offset, FIRST_READ_BYTES))
            if not length:
                return
            (ticket,) = self._connection.send([self._messages.read(offset, length, self._handle)])
            self._reads.append((offset, length, ticket))
            offset += length

    def _length_of_next_read(self, wanted: int) -> int:
        affordable = max(self._connection.credits - CREDITS_KEPT_FREE, 0) * CREDIT_BYTES
        length = min(READ_BYTES, self._connection.largest_read, wanted, affordable)
        return length if self._reads else max(length, FIRST_READ_BYTES)

    def now(self) -> SourceFile:
        """Size and mtime as the open handle shows them; a folder's entry may lag behind until the writer closes."""
        with self._connection.faults(FILE, self._source_path):
            (ticket,) = self._connection.send([self._messages.query_size_and_time(self._handle)])
            return answers.queried(self._connection.answer(ticket), self._source_path)

    def close(self) -> None:
        self._abandon_reads()
        self._connection.release(self._handle)

    def _abandon_reads(self) -> None:
        self._connection.discard([ticket for _, _, ticket in self._reads])
        self._reads.clear()


@dataclass(frozen=True, slots=True)
class AskedFile:
    """A file whose compound is under way; without ``tickets`` one that a single read can't fetch."""

    file: SourceFile
    tickets: Sequence[Ticket] = ()

    @property
    def length(self) -> int:
        """How many bytes are read at most."""
        return self.file.size_bytes + 1


def read_whole(connection: ShareConnection, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
    """Each file's content or error, as ``Source.read_whole`` promises."""
    asked: deque[AskedFile | SourceFileError] = deque()
    try:
        for file in files:
            asked.append(_ask(connection, file))
            while asked and not _has_room(connection, len(asked)):
                yield _answered(connection, asked.popleft())
        while asked:
            yield _answered(connection, asked.popleft())
    finally:
        for waiting in asked:
            if isinstance(waiting, AskedFile):
                connection.discard(waiting.tickets)


def _has_room(connection: ShareConnection, files_in_flight: int) -> bool:
    return files_in_flight < FILES_IN_FLIGHT and connection.credits >= CREDITS_OF_A_FILE + CREDITS_KEPT_FREE


def _ask(connection: ShareConnection, file: SourceFile) -> AskedFile | SourceFileError:
    asked = AskedFile(file)
    if asked.length > min(WHOLE_FILE_BYTES + 1, connection.largest_read):
        return asked
    messages = connection.messages
    try:
        with connection.faults(FILE, file.source_path):
            opening = messages.open_file(connection.address.path_on_share(file.source_path), SHARE_ALL)
            compound = [opening, messages.read(0, asked.length), messages.close()]
            return AskedFile(file, connection.send(compound))
    except SourceFileError as error:
        return error


def _answered(connection: ShareConnection, asked: AskedFile | SourceFileError) -> WholeFile | SourceFileError:
    if not isinstance(asked, AskedFile):
        return asked
    try:
        return _from_compound(connection, asked) or _in_pieces(connection, asked)
    except SourceFileError as error:
        return error


def _from_compound(connection: ShareConnection, asked: AskedFile) -> WholeFile | None:
    """What the compound brought; None if there was none, or it did not bring all of the file or how it was closed."""
    if not asked.tickets:
        return None
    opening, reading, closing = asked.tickets
    path = asked.file.source_path
    try:
        with connection.faults(FILE, path):
            opened = answers.opened(connection.answer(opening))
            try:
                content = _data(connection, reading, asked.length)
            finally:
                at_closing = answers.closed(connection.closing(closing, opened.handle))
    finally:
        connection.discard(asked.tickets)
    at_opening = opened.seen
    if content is None or at_closing is None or len(content) < min(at_opening.size_bytes, asked.length):
        return None  # a server may answer a read with less than there is (3.3.5.12)
    seen = at_opening.as_source_file(path)
    return WholeFile(content, seen, seen if at_closing == at_opening else at_closing.as_source_file(path))


def _data(connection: ShareConnection, reading: Ticket, length: int) -> bytes | None:
    """What was read; None if the server can't read within a compound."""
    try:
        return connection.data(reading, length)
    except Refused as refusal:
        if refusal.status != INTERNAL_ERROR:
            raise
        return None


def _in_pieces(connection: ShareConnection, asked: AskedFile) -> WholeFile:
    file = OpenSmbFile(connection, asked.file.source_path)
    try:
        content = bytearray()
        for chunk in file.chunks():
            content += chunk
            if len(content) >= asked.length:
                break
        return WholeFile(bytes(content[: asked.length]), file.at_opening, file.now())
    finally:
        file.close()


def has_open_writer(connection: ShareConnection, source_path: str) -> bool:
    """Whether another client holds the file open for writing, by its share modes ([MS-SMB2] 3.3.5.9).

    We ask to share the file with readers only, which the server refuses while there is a writer. The same compound
    closes the file again. An instrument that opens it for writing in between, a thousandth of a second or so, would be
    refused; so we ask for a batch oplock too, which makes the server let it wait for our closing instead ([MS-SMB2]
    2.2.13; none is granted while another client reads the file). A writer that is local to the server is not seen.
    """
    path = connection.address.path_on_share(source_path)
    messages = connection.messages
    with connection.faults(FILE, source_path):
        opening, closing = connection.send([messages.open_file(path, SHARE_READ, yielding=True), messages.close()])
        try:
            connection.answer(opening)
        except Refused as refusal:
            if refusal.status == SHARING_VIOLATION:
                return True
            raise
        finally:
            connection.discard([closing])
    return False
