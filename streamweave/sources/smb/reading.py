"""Reading one file: its first bytes come with its opening, the rest in reads that overlap."""

from collections import deque
from collections.abc import Iterator

from streamweave.sources.base import SourceFile
from streamweave.sources.smb import answers
from streamweave.sources.smb.connection import CREDIT_BYTES, SHARE_ALL, ShareConnection, Ticket
from streamweave.sources.smb.faults import FILE

FIRST_READ_BYTES = CREDIT_BYTES  # every server grants this much, and most files are smaller
READ_BYTES = 1 << 20
READS_IN_FLIGHT = 8
CREDITS_KEPT_FREE = 8  # for questions beside the reads


class OpenSmbFile:
    """A file that is open for reading. Others may write, rename and delete it meanwhile.

    ``at_opening`` is what the server said of it before its first byte was read.

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
                self._abandon_reads()  # the opening asked for the beginning, or somebody else read on
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
        length = min(self._connection.read_bytes_at_most(READ_BYTES), wanted, affordable)
        return length if self._reads else max(length, FIRST_READ_BYTES)

    def now(self) -> SourceFile:
        """Size and mtime as the open handle shows them; a folder's entry may lag behind until the writer closes."""
        with self._connection.faults(FILE, self._source_path):
            (ticket,) = self._connection.send([self._messages.query_size_and_time(self._handle)])
            return answers.queried(self._connection.answer(ticket), self._source_path)

    def close(self) -> None:
        """Let go of the file."""
        self._abandon_reads()
        self._connection.release(self._handle)

    def _abandon_reads(self) -> None:
        self._connection.discard([ticket for _, _, ticket in self._reads])
        self._reads.clear()
