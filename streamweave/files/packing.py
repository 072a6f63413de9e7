"""A selection of archived versions as one ZIP (stored, not compressed; zip64 where needed), made while it is read.

Entries have the time at which the instrument wrote the file: twice, as ZIPs do (APPNOTE.TXT, section 4.4.6, and
Info-ZIP's extended timestamp). The old field has no time zone and two seconds' precision: it shows local time of the
instrument, from 1980 to 2107. The extra field is exact to the second and in UTC, from 1901 to 2038; most programs
prefer it.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from zipstream import ZipStream
from zipstream.ng import MAX_DATE, MIN_DATE, ZipStreamInfo

from streamweave.errors import CopyUnavailable
from streamweave.files.contents import Content, OpenStorage, Pieces, open_copy
from streamweave.storage.archive_paths import destination_path, next_path

OWNERS_ALONE = 0o600 << 16  # as zipstream-ng and zipfile have it


class Package:
    """An iterator over the pieces of a ZIP of ``size_bytes``. ``close`` lets go of whatever file is open.

    Raises ``CopyUnavailable`` or ``StorageError`` from the midst of reading.
    """

    def __init__(self, contents: list[Content], open_storage: OpenStorage) -> None:
        self._open: Pieces | None = None
        self._open_storage = open_storage
        names = entry_names(contents)
        stream = _DatedStream(dict(zip(names, contents, strict=True)))
        for name, content in zip(names, contents, strict=True):
            stream.add(self._pieces(content), name, size=content.size_bytes)
        self.size_bytes = len(stream)
        self._stream: Iterator[bytes] = iter(stream)

    def __iter__(self) -> "Package":
        return self

    def __next__(self) -> bytes:
        return next(self._stream)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _pieces(self, content: Content) -> Iterator[bytes]:
        self._open = _whole(content, self._open_storage)
        yield from self._open


def dos_time(mtime: datetime, timezone: str) -> tuple[int, int, int, int, int, int]:
    """Year to second by the clock in that time zone, moved into what a ZIP can say."""
    if abs(mtime.year - 2043) > 65:  # far off, where a time zone might lead out of the calendar
        return MIN_DATE if mtime.year < 1980 else MAX_DATE  # type: ignore[no-any-return] # zipstream-ng is untyped
    local = mtime.astimezone(ZoneInfo(timezone)).timetuple()[:6]
    return min(max(MIN_DATE, local), MAX_DATE)  # type: ignore[no-any-return] # zipstream-ng is untyped


def extended_timestamp(mtime: datetime) -> bytes:
    """Info-ZIP's extra field 0x5455 with the time of modification alone; nothing where 32 bits don't hold it."""
    seconds = int(mtime.timestamp() // 1)
    return struct.pack("<HHBi", 0x5455, 5, 1, seconds) if -(2**31) <= seconds < 2**31 else b""


class _DatedStream(ZipStream):  # type: ignore[misc] # zipstream-ng is untyped
    """zipstream-ng dates whatever is no file of this machine with now; here each entry has the time of its content."""

    _size_prog: tuple[int, int, int]

    def __init__(self, contents: dict[str, Content]) -> None:
        super().__init__(sized=True)
        self._contents = contents

    def _gen_file_entry(self, *, iterable: Iterable[bytes], size: int, arcname: str) -> Iterator[bytes]:
        content = self._contents[arcname]
        entry = ZipStreamInfo(arcname, dos_time(content.mtime, content.timezone))
        entry.extra = extended_timestamp(content.mtime)
        entry.external_attr = OWNERS_ALONE
        entry.file_size = size
        entry.header_offset = self._pos
        yield from map(self._track, entry._file_data(iterable))
        if entry.file_size != size:
            raise CopyUnavailable
        self._filelist.append(entry)

    def _add_size_from_file(self, arcname: str, size: int) -> None:
        super()._add_size_from_file(arcname, size)
        extra = len(extended_timestamp(self._contents[arcname].mtime))
        files, files_size, directory_size = self._size_prog
        self._size_prog = (files, files_size + extra, directory_size + extra)


def entry_names(contents: list[Content]) -> list[str]:
    """The names of the entries: source paths, made safe for every file system.

    Where two instruments have the same path, the instruments' folders come before it. A file that is a folder of others
    gets the next free name, as in the archive: no program unpacks both under one.
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
