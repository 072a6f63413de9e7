"""A selection of archived versions as one ZIP (stored, not compressed; zip64 where needed), made while it is read."""

from collections import Counter
from collections.abc import Iterator

from zipstream import ZipStream

from streamweave.files.contents import Content
from streamweave.files.reading import OpenStorage, Pieces, open_copy
from streamweave.harvest.naming import destination_path, next_path


class Package:
    """An iterator over the pieces of a ZIP of ``size_bytes``. ``close`` lets go of whatever file is open.

    Raises ``CopyUnavailable`` or ``StorageError`` from the midst of reading.
    """

    def __init__(self, contents: list[Content], open_storage: OpenStorage) -> None:
        self._open: Pieces | None = None
        self._open_storage = open_storage
        stream = ZipStream(sized=True)
        for name, content in zip(entry_names(contents), contents, strict=True):
            stream.add(self._pieces(content), name, size=content.size_bytes)
        self.size_bytes = len(stream)
        self._stream: Iterator[bytes] = iter(stream)

    def __iter__(self) -> "Package":
        return self

    def __next__(self) -> bytes:
        return next(self._stream)

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._open is not None:
            self._open.close()

    def _pieces(self, content: Content) -> Iterator[bytes]:
        self._open = _whole(content, self._open_storage)
        yield from self._open


def entry_names(contents: list[Content]) -> list[str]:
    """The names of the entries: source paths, made safe for every file system.

    Where two instruments have the same path, the instruments' folders stand before it. A file that others have for a
    folder gets the next free name, as in the archive: no program unpacks both under one.
    """
    full = [destination_path(content.archive_folder, content.source_path, 1) for content in contents]
    short = [path.partition("/")[2] for path in full]
    uses = Counter(path.casefold() for path in short)
    names = [path if uses[path.casefold()] == 1 else whole for path, whole in zip(short, full, strict=True)]
    folders = {folder for name in names for folder in _folders_of(name.casefold())}
    return [(next_path(name, name, -1) if name.casefold() in folders else None) or name for name in names]


def _folders_of(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _whole(content: Content, open_storage: OpenStorage) -> Pieces:
    copy = open_copy(content, open_storage)
    try:
        yield from copy
    finally:
        copy.close()
