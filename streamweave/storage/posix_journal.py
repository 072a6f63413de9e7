"""Journals in a folder: a file each, in a folder for each day."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter

from streamweave.storage.base import (
    HEAD,
    JOURNALS,
    NOT_LEGIBLE,
    Reached,
    checked_name,
    head_content,
    is_name,
    parse_head,
)
from streamweave.storage.file_io import storage_errors
from streamweave.storage.safe_path import CONTROL, BaseFolder, file_chunks, open_folder
from streamweave.storage.staging import write_all

SUFFIX = ".jsonl"
JOURNAL_MODE = 0o640  # less what the umask takes away


class FolderJournal:
    """The journals of one catalog. ``streamweave.storage.base.Journal`` says what each method promises."""

    def __init__(self, base: BaseFolder, catalog: str) -> None:
        self._base = base
        self._folder = (CONTROL, JOURNALS, catalog)
        self._place = base.path.joinpath(*self._folder)

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """Write and flush; the folders as well when the journal begins."""
        day, _, file = checked_name(name).partition("/")
        with storage_errors(self._place / name), open_folder(self._base, (*self._folder, day), make=True) as folder:
            with _opened(file + SUFFIX, folder) as handle:
                if os.fstat(handle).st_size != offset:
                    os.ftruncate(handle, offset)
                os.lseek(handle, offset, os.SEEK_SET)
                write_all(handle, lines)
                os.fsync(handle)
            if offset == 0:
                os.fsync(folder)
        self._write_head(Reached(name, offset + len(lines)), is_new=offset == 0)

    def _write_head(self, reached: Reached, *, is_new: bool) -> None:
        """In place, and flushed only when the journal is new: a reader takes the length from the journal itself."""
        with storage_errors(self._place / HEAD), open_folder(self._base, self._folder) as folder:
            with _opened(HEAD, folder) as handle:
                write_all(handle, head_content(reached))
                if is_new:
                    os.fsync(handle)
            if is_new:
                for depth in range(1, len(self._folder) + 1):
                    with open_folder(self._base, self._folder[:depth]) as above:
                        os.fsync(above)

    def head(self) -> Reached | None:
        """What the head names, and how long that is now."""
        with storage_errors(self._place), open_folder(self._base, (CONTROL,)):
            try:
                last = parse_head((self._place / HEAD).read_bytes())
            except FileNotFoundError:
                return None if next(self._found(), None) is None else NOT_LEGIBLE
            try:
                return Reached(last.name, (self._place / (last.name + SUFFIX)).stat().st_size) if last.name else last
            except FileNotFoundError:
                return NOT_LEGIBLE

    def sizes(self, since: str = "") -> dict[str, int]:
        with storage_errors(self._place), open_folder(self._base, (CONTROL,)):
            return {
                name: entry.stat(follow_symlinks=False).st_size
                for name, entry in sorted(self._found(since), key=itemgetter(0))
                if name >= since
            }

    def _found(self, since: str = "") -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        """The journals of the day of ``since`` and later, by name."""
        for day in _entries(self._place) if self._place.is_dir() else ():
            if day.is_dir(follow_symlinks=False) and day.name >= since[: len(day.name)]:
                for entry in _entries(day.path):
                    name = f"{day.name}/{entry.name.removesuffix(SUFFIX)}"
                    if entry.name.endswith(SUFFIX) and is_name(name) and entry.is_file(follow_symlinks=False):
                        yield name, entry

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        day, _, file = checked_name(name).partition("/")
        return file_chunks(self._base, (*self._folder, day, file + SUFFIX), offset=offset)


def _entries(folder: str | os.PathLike[str]) -> list["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        return list(entries)


@contextmanager
def _opened(name: str, folder: int) -> Iterator[int]:
    """A handle of a file, at its beginning; it is made if need be."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, JOURNAL_MODE, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)
