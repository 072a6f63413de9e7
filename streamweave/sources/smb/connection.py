"""What both engines promise: messages are put to the server, and their answers taken, many under way at once."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from streamweave.errors import SourceUnreachable
from streamweave.sources.smb.address import SmbAddress
from streamweave.sources.smb.faults import END_OF_FILE, Fault
from streamweave.sources.smb.wire_errors import WIRE_ERRORS, BrokenAnswer, Refused, as_source_error

CREDIT_BYTES = 1 << 16  # [MS-SMB2] 3.2.4.1.5: what one credit pays for
COMPOUND_HANDLE = b"\xff" * 16  # 3.2.4.1.4: the handle that the compound's first message opens
SHARE_READ, SHARE_ALL = 0x1, 0x7  # 2.2.13: what others may do meanwhile: read; or write, rename and delete as well
CREDITS_WANTED = 1024  # Windows grants up to 512 by default, Samba up to 8,192

Message = Any  # what one engine's ``messages`` make, and the same engine's ``send`` takes
Ticket = Any  # what ``send`` gives for a message, and ``answer`` takes


class Messages(Protocol):
    """The few SMB2 messages that we send ([MS-SMB2] 2.2), in an engine's own form."""

    def open_folder(self, path: str) -> Message:
        """Open a folder below the share for listing."""

    def open_file(self, path: str, share_access: int, *, yielding: bool = False) -> Message:
        """Open a file below the share for reading; ``share_access`` is what others may do to it meanwhile.

        With ``yielding``, whoever wants to do something else waits until we have let go, instead of being refused.
        """

    def list_entries(self, length: int, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Ask for at most ``length`` bytes of a folder's next entries."""

    def read(self, offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Ask for at most ``length`` bytes of a file from ``offset``."""

    def query_size_and_time(self, handle: bytes) -> Message:
        """Ask for an open file's size and times."""

    def close(self, handle: bytes = COMPOUND_HANDLE) -> Message:
        """Let go of a handle, and ask for its file's size and times."""


class ShareConnection(ABC):
    """Connected to a share from the beginning to ``close``. Not to be shared between threads."""

    messages: Messages

    def __init__(self, address: SmbAddress) -> None:
        self.address = address

    @contextmanager
    def faults(self, table: Mapping[int, Fault], path: str = "") -> Iterator[None]:
        """Raise what goes wrong on the wire as the error that ``table`` has for it. A lost connection is closed."""
        try:
            yield
        except WIRE_ERRORS as wire_error:
            error = as_source_error(wire_error, table, self.address, path)
            if isinstance(error, SourceUnreachable):
                self.close()
            raise error from wire_error

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the connection still stands, as far as can be told without asking the server."""

    @property
    @abstractmethod
    def credits(self) -> int:
        """How many requests of up to 64 KiB each the server lets us send now, beside those that are under way."""

    @abstractmethod
    def read_bytes_at_most(self, wanted: int) -> int:
        """How many bytes one read may ask for."""

    @abstractmethod
    def listing_bytes_at_most(self, wanted: int) -> int:
        """How many bytes of a folder one query may ask for."""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> list[Ticket]:
        """Send one message, or several as one compound that works on one handle; a ticket for each.

        Raises one of ``WIRE_ERRORS``.
        """

    @abstractmethod
    def answer(self, ticket: Ticket) -> bytes | memoryview:
        """The body of the answer, waited for. Raises ``Refused`` or another of ``WIRE_ERRORS``."""

    def data(self, ticket: Ticket, at_most: int) -> bytes:
        """The data in the answer to a read of ``at_most`` bytes: none behind the file's end. Raises as ``answer``."""
        try:
            data = self._data(ticket)
        except Refused as refusal:
            if refusal.status == END_OF_FILE:
                return b""
            raise
        if len(data) > at_most:
            raise BrokenAnswer(f"{len(data)} bytes in answer to a read of {at_most}")
        return data

    def closing(self, ticket: Ticket, handle: bytes) -> bytes | memoryview | None:
        """The answer to the close of a compound that has opened ``handle``. Raises as ``answer``.

        A server may refuse it because something before it was refused (3.3.5.2.7.2). Then there is None, and the handle
        is released: an instrument must not be left with open files.
        """
        try:
            return self.answer(ticket)
        except Refused:
            self.release(handle)
            return None

    @abstractmethod
    def _data(self, ticket: Ticket) -> bytes: ...

    @abstractmethod
    def discard(self, tickets: Iterable[Ticket]) -> None:
        """Nobody is interested in these answers, whether they came or not. Never raises."""

    @abstractmethod
    def release(self, handle: bytes) -> None:
        """Let the server close ``handle``, without waiting for its answer. Never raises."""

    @abstractmethod
    def close(self) -> None:
        """End the connection; the server then lets go of everything we held. Never raises; may be called twice."""
