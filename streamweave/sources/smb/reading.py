"""Reading one file: its first bytes come with its opening, the rest in reads that overlap."""

from collections import deque
from collections.abc import Iterator
from typing import Any

from smbprotocol.exceptions import SMBResponseException

from streamweave.sources.base import SourceFile
from streamweave.sources.smb import messages
from streamweave.sources.smb.connection import ShareConnection
from streamweave.sources.smb.faults import END_OF_FILE, FILE, status_of
from streamweave.sources.smb.times import from_filetime

FIRST_READ_BYTES = messages.CREDIT_BYTES  # every server grants this much, and most files are smaller
READ_BYTES = 4 << 20
READS_IN_FLIGHT = 4
CREDITS_KEPT_FREE = 8  # for questions beside the reads


class OpenSmbFile:
    """A file that is open for reading. Others may write, rename and delete it meanwhile.

    Raises ``FileVanished``, ``FileDenied``, ``FileInUse`` or ``FileReadFailed`` when it can't be opened.
    """

    def __init__(self, connection: ShareConnection, source_path: str) -> None:
        self._connection = connection
        self._source_path = source_path
        compound = [
            messages.open_file(connection.address.path_on_share(source_path), messages.SHARE_ALL),
            messages.read(0, FIRST_READ_BYTES),
        ]
        with connection.faults(FILE, source_path):
            opening, first_read = connection.send(compound)
            self._reads: deque[tuple[int, int, Any]] = deque([(0, FIRST_READ_BYTES, first_read)])
            try:
                self._size_at_opening, self._handle = messages.size_and_handle(connection.answer(opening))
            except SMBResponseException:
                self._abandon_reads()
                raise

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content in order, until the server says that there is no more: what the file gains is included."""
        if offset:
            self._abandon_reads()  # the opening asked for the beginning
        while True:
            with self._connection.faults(FILE, self._source_path):
                self._read_ahead(offset)
                _, length, request = self._reads.popleft()
                data = self._data(request)
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
        while len(self._reads) < READS_IN_FLIGHT and (offset < self._size_at_opening or not self._reads):
            length = self._length_of_next_read(max(self._size_at_opening - offset, FIRST_READ_BYTES))
            if not length:
                return
            (request,) = self._connection.send([messages.read(offset, length, self._handle)])
            self._reads.append((offset, length, request))
            offset += length

    def _length_of_next_read(self, wanted: int) -> int:
        affordable = (self._connection.credits - CREDITS_KEPT_FREE) * messages.CREDIT_BYTES
        length = min(self._connection.read_bytes_at_most(READ_BYTES), wanted, affordable)
        return length if self._reads else max(length, FIRST_READ_BYTES)

    def _data(self, request: Any) -> bytes:
        try:
            return messages.data_read(self._connection.answer(request))
        except SMBResponseException as error:
            if status_of(error) == END_OF_FILE:
                return b""
            raise

    def now(self) -> SourceFile:
        """Size and mtime as the open handle shows them; a folder's entry may lag behind until the writer closes."""
        with self._connection.faults(FILE, self._source_path):
            (request,) = self._connection.send([messages.query_size_and_time(self._handle)])
            filetime, size = messages.filetime_and_size(self._connection.answer(request))
        return SourceFile(self._source_path, size, from_filetime(filetime))

    def close(self) -> None:
        """Let go of the file."""
        self._abandon_reads()
        self._connection.release(self._handle)

    def _abandon_reads(self) -> None:
        self._connection.discard([request for _, _, request in self._reads])
        self._reads.clear()
