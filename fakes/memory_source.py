"""A share in memory, for tests: it changes while it is read, and fails, when it is asked to."""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streamweave.errors import FileVanished, SourceError, SourceFileError
from streamweave.sources.base import FolderListing, SourceFile, WholeFile


@dataclass
class MemoryFile:
    """One content of a file. A file that is open keeps showing its own, also when its name is gone."""

    content: bytes
    mtime: datetime
    unreadable: str | None = None


@dataclass
class Laboratory:
    """What is on the share, for any number of connections. All paths are ``source_path``s: the share's name first.

    ``unreachable`` is raised by every call while it is set; ``listing_faults`` maps folders and ``file_faults`` files
    to the error that listing or opening them raises; ``read_faults`` breaks a read after its first chunk;
    ``open_writers`` are the files that an instrument holds open; ``while_reading`` is called after each chunk with
    the path that is being read.
    """

    share: str = "share"
    files: dict[str, MemoryFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    chunk_bytes: int = 1 << 20
    part_files: int = 4_000  # a folder of more is listed in parts
    unreachable: SourceError | None = None
    listing_faults: dict[str, SourceError] = field(default_factory=dict)
    file_faults: dict[str, SourceFileError] = field(default_factory=dict)
    read_faults: dict[str, SourceError] = field(default_factory=dict)
    open_writers: set[str] = field(default_factory=set)
    while_reading: Callable[[str], None] | None = None

    def write(self, source_path: str, content: bytes, mtime: datetime | None = None) -> None:
        """Make or rewrite a file in place; ``mtime`` is now unless it is given."""
        file = self.files.setdefault(source_path, MemoryFile(b"", datetime.now(UTC)))
        file.content, file.mtime = content, mtime or datetime.now(UTC)

    def append(self, source_path: str, content: bytes, mtime: datetime | None = None) -> None:
        """Let a file grow."""
        self.write(source_path, self.files[source_path].content + content, mtime)

    def remove(self, source_path: str) -> None:
        """Remove a file's name."""
        del self.files[source_path]

    def source(self) -> "MemorySource":
        """One more connection to this share."""
        return MemorySource(self)

    def inner_folders(self, folder: str) -> list[str]:
        """The folders directly inside ``folder``, those of files included."""
        parents = {path.rsplit("/", 1)[0] for path in self.files} | self.folders
        below = [path.removeprefix(f"{folder}/").split("/")[0] for path in parents if path.startswith(f"{folder}/")]
        return [f"{folder}/{name}" for name in sorted(set(below))]


class OpenMemoryFile:
    """A file that is open for reading."""

    def __init__(self, laboratory: Laboratory, source_path: str) -> None:
        self._laboratory = laboratory
        self._source_path = source_path
        self._file = laboratory.files[source_path]

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content in order, with what it gains while it is read."""
        while chunk := self._file.content[offset : offset + self._laboratory.chunk_bytes]:
            yield chunk
            offset += len(chunk)
            if self._laboratory.while_reading:
                self._laboratory.while_reading(self._source_path)
            if error := self._laboratory.unreachable or self._laboratory.read_faults.get(self._source_path):
                raise error

    def now(self) -> SourceFile:
        """Size and mtime at this moment."""
        if self._laboratory.unreachable:
            raise self._laboratory.unreachable
        return _source_file(self._source_path, self._file)


class MemorySource:
    """One connection to a laboratory. See ``streamweave.sources.base.Source`` for what each method promises."""

    def __init__(self, laboratory: Laboratory) -> None:
        self._laboratory = laboratory
        self.closed = False

    def listings(self, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
        """Every folder, breadth first."""
        todo = deque([self._laboratory.share])
        while todo:
            folder = todo.popleft()
            self._fail_if_unreachable()
            if error := self._laboratory.listing_faults.get(folder):
                if folder == self._laboratory.share:
                    raise error
                yield FolderListing(folder, (), error)
                continue
            inner = self._laboratory.inner_folders(folder)
            todo.extend(path for path in inner if path not in passing_over)
            known = list(self._laboratory.files.items())
            files = [_source_file(path, file) for path, file in known if path.rsplit("/", 1)[0] == folder]
            yield from self._parts(folder, files, len(inner))

    def _parts(self, folder: str, files: list[SourceFile], folders: int) -> Iterator[FolderListing]:
        size = self._laboratory.part_files
        parts = [tuple(files[start : start + size]) for start in range(0, len(files), size)] or [()]
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            yield FolderListing(folder, part, folders=folders if is_last else 0, begins=not number, ends=is_last)

    @contextmanager
    def open(self, source_path: str) -> Iterator[OpenMemoryFile]:
        """Open a file for reading."""
        self._check(source_path)
        yield OpenMemoryFile(self._laboratory, source_path)

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
        """Read files in one go each, one after the other."""
        for file in files:
            try:
                yield self._whole(file)
            except SourceFileError as error:
                yield error

    def _whole(self, asked: SourceFile) -> WholeFile:
        with self.open(asked.source_path) as file:
            at_opening = file.now()
            content = b""
            for chunk in file.chunks():
                content += chunk
                if len(content) > asked.size_bytes:
                    break
            return WholeFile(content[: asked.size_bytes + 1], at_opening, file.now())

    def has_open_writer(self, source_path: str) -> bool:
        """Whether an instrument holds the file open for writing."""
        self._check(source_path)
        return source_path in self._laboratory.open_writers

    def close(self) -> None:
        """Let go of the connection."""
        self.closed = True

    def _check(self, source_path: str) -> None:
        self._fail_if_unreachable()
        if error := self._laboratory.file_faults.get(source_path):
            raise error
        if source_path not in self._laboratory.files:
            raise FileVanished(f"{source_path} is no longer on the share")

    def _fail_if_unreachable(self) -> None:
        if self._laboratory.unreachable:
            raise self._laboratory.unreachable


def _source_file(source_path: str, file: MemoryFile) -> SourceFile:
    return SourceFile(source_path, len(file.content), file.mtime, file.unreadable)
