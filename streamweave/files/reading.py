"""Reading archived versions: whichever copy can be opened, a span of it, piece by piece."""

import logging
from collections.abc import Callable, Generator

from streamweave.catalog.tables import StorageLocation
from streamweave.errors import CopyUnavailable, StorageError
from streamweave.files.contents import Content
from streamweave.storage.base import Storage

logger = logging.getLogger(__name__)

OpenStorage = Callable[[StorageLocation], Storage]
Pieces = Generator[bytes, None, None]


class OpenCopy:
    """An iterator over the pieces of an opened copy. ``close`` lets go of the file, whether it was read or not.

    Raises ``StorageError`` from the midst of reading, and ``CopyUnavailable`` when the copy ends too early.
    """

    def __init__(self, first: bytes, rest: Pieces, length: int) -> None:
        self._first = first
        self._rest = rest
        self._missing = length

    def __iter__(self) -> "OpenCopy":
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first or next(self._rest, b""), b""
        if not piece and self._missing:
            raise CopyUnavailable
        if not piece:
            raise StopIteration
        self._missing -= len(piece)
        return piece

    def close(self) -> None:
        """Let go of the file."""
        self._rest.close()


def open_copy(content: Content, open_storage: OpenStorage, offset: int = 0, length: int | None = None) -> OpenCopy:
    """The first copy of ``content`` that can be read, opened, from byte ``offset`` on, ``length`` bytes or all.

    No mark is compared: a copy is asked for by its path, and nothing is concluded from its absence.
    Raises ``CopyUnavailable`` when there is none.
    """
    expected = content.size_bytes - offset if length is None else length
    for copy in content.copies:
        try:
            rest = open_storage(copy.location).read(copy.path, offset, expected)
            first = next(rest, b"")
        except StorageError as error:
            logger.warning("version %s of file %s: %s", content.number, content.file_id, error)
            continue
        if first or expected == 0:
            return OpenCopy(first, rest, expected)
        rest.close()
        logger.warning("version %s of file %s: %s is too short", content.number, content.file_id, copy.path)
    raise CopyUnavailable
