"""Reading small files whole: one compound for each (open, read, close), several under way at once.

One byte more than the listed size is asked for, which shows growth. The opening's answer and the closing's tell size
and time, so that nothing else needs to be asked.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from streamweave.errors import SourceFileError
from streamweave.sources.base import WHOLE_FILE_BYTES, SourceFile, WholeFile
from streamweave.sources.smb import answers
from streamweave.sources.smb.connection import CREDIT_BYTES, SHARE_ALL, ShareConnection, Ticket
from streamweave.sources.smb.faults import FILE, INTERNAL_ERROR
from streamweave.sources.smb.reading import OpenSmbFile
from streamweave.sources.smb.wire_errors import Refused

FILES_IN_FLIGHT = 16
CREDITS_OF_A_FILE = 3 + WHOLE_FILE_BYTES // CREDIT_BYTES
CREDITS_KEPT_FREE = 8  # for questions beside the reads


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
    if asked.length > connection.read_bytes_at_most(WHOLE_FILE_BYTES + 1):
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
