"""A storage location in memory, for tests: it keeps the promises of the real ones, and fails when it is asked to."""

import threading
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from streamweave.errors import (
    DestinationOccupied,
    NotAFile,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.base import NO_MTIMES, NOT_LEGIBLE, CopyStat, Reached, checked_name
from streamweave.storage.file_io import copy_mtime_ns
from streamweave.storage.marks import FoundMark, Mark, NoMark, parse_mark, refusal
from streamweave.storage.safe_path import checked_staged_name, path_components


class MemoryWriter:
    """A staged file that is being written."""

    def __init__(self, storage: "MemoryStorage", staged_name: str) -> None:
        self._storage = storage
        self._staged_name = staged_name

    def write(self, data: bytes) -> None:
        """Append ``data``, all of it."""
        self._storage.fail_if_asked("write")
        self._storage.staged[self._staged_name] += data

    def settle(self) -> int:
        """All that was written can be read back."""
        return len(self._storage.staged[self._staged_name])


class MemoryJournal:
    """``journals`` maps names to bytes."""

    def __init__(self, storage: "MemoryStorage") -> None:
        self._storage = storage
        self._head: str | None = None
        self.journals: dict[str, bytes] = {}

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """Write at the end."""
        self._storage.fail_if_asked("append")
        self.journals[checked_name(name)] = self.journals.get(name, b"")[:offset] + lines
        self._head = name

    def head(self) -> Reached | None:
        """The journal that was last appended to."""
        self._storage.fail_if_asked("head")
        if self._head is None:
            return NOT_LEGIBLE if self.journals else None
        return Reached(self._head, len(self.journals[self._head]))

    def sizes(self, since: str = "") -> dict[str, int]:
        """The lengths of the journals."""
        return {name: len(lines) for name, lines in sorted(self.journals.items()) if name >= since}

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """All of it at once."""
        yield self.journals[name][offset:]


class MemoryStorage:
    """``staged`` and ``published`` map names and paths to bytes; a test may read and change them.

    ``mtimes_ns`` maps both to nanoseconds since 1970.
    """

    def __init__(self) -> None:
        self.staged: dict[str, bytes] = {}
        self.published: dict[str, bytes] = {}
        self.mtimes_ns: dict[str, int] = {}
        self.durable: set[str] = set()
        self.early_staged: dict[str, bytes] = {}
        self.mark: bytes | None = None
        self.journals: dict[uuid.UUID, MemoryJournal] = {}
        self._faults: dict[str, StorageError] = {}
        self._lock = threading.Lock()

    def fail_next(self, method: str, error: StorageError) -> None:
        """Make the next call of ``method`` (``write`` is the staged writer's) raise ``error``."""
        self._faults[method] = error

    def fail_if_asked(self, method: str) -> None:
        """Raise what ``fail_next`` was given for ``method``, once."""
        if error := self._faults.pop(method, None):
            raise error

    def prepare(self, mark: Mark, *, is_new: bool = False) -> None:
        """Compare the mark, or give it to a new place."""
        self.fail_if_asked("prepare")
        if is_new and self.found_mark() is NoMark.MISSING:
            self.put_mark(mark)
        self.check_mark(mark)

    def check_mark(self, mark: Mark) -> None:
        """Compare the mark."""
        self.fail_if_asked("check_mark")
        if why := refusal("the memory", self.found_mark(), mark):
            raise StorageRefused(why)

    def found_mark(self) -> FoundMark:
        """The mark of the memory."""
        return parse_mark(self.mark)

    def put_mark(self, mark: Mark) -> None:
        """Mark the memory, whatever mark it has."""
        self.mark = mark.content()

    @contextmanager
    def stage(self, staged_name: str, mtime: datetime | None = None) -> Iterator[MemoryWriter]:
        """Write a staged file from its beginning; after an error nothing is left of it."""
        checked_staged_name(staged_name)
        self.fail_if_asked("stage")
        self.staged[staged_name] = b""
        self.mtimes_ns[staged_name] = copy_mtime_ns(mtime or datetime.now(UTC))
        try:
            yield MemoryWriter(self, staged_name)
        except BaseException:
            self.staged.pop(staged_name, None)
            raise

    def stage_whole(
        self, contents: Mapping[str, bytes], mtimes: Mapping[str, datetime] = NO_MTIMES
    ) -> dict[str, StorageError]:
        """Write many small staged files."""
        failed = {}
        for staged_name, content in contents.items():
            try:
                with self.stage(staged_name, mtimes.get(staged_name)) as writer:
                    writer.write(content)
            except StorageError as error:
                failed[staged_name] = error
        return failed

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read a staged file back, or a span of it."""
        self.fail_if_asked("read_staged")
        if staged_name not in self.staged:
            raise StorageRefused(f"{staged_name}: it is not there")
        if content := self.staged[staged_name][offset : None if length is None else offset + length]:
            yield content

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """Read many small staged files back."""
        for staged_name in staged_names:
            try:
                yield b"".join(self.read_staged(staged_name))
            except StorageError as error:
                yield error

    def _publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name."""
        path_components(path)
        self.fail_if_asked("publish")
        with self._lock:
            if staged_name not in self.staged:
                raise StorageUnavailable(f"{staged_name} is gone")
            if self._exists(path):
                raise DestinationOccupied(f"{self.address(path)} exists already")
            for file in self.published:
                if path.startswith(f"{file}/"):
                    sentence = f"{self.address(path)}: part of the path is a file, not a folder"
                    raise PathUnusable(sentence, file.count("/"))
            self.published[path] = self.staged.pop(staged_name)
            self.mtimes_ns[path] = self.mtimes_ns[staged_name]

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """Publish many staged files."""
        failed = {}
        for staged_name, path in paths.items():
            try:
                self._publish(staged_name, path)
            except StorageError as error:
                failed[staged_name] = error
        return failed

    def make_durable(self, paths: Iterable[str]) -> None:
        """Remember ``paths`` as durable."""
        self.fail_if_asked("make_durable")
        self.durable.update(paths)

    def read(
        self,
        path: str,
        offset: int = 0,
        length: int | None = None,
        *,
        uncached: bool = False,  # noqa: ARG002 - there is no cache
    ) -> Generator[bytes, None, None]:
        """Read a published file, or a span of it."""
        path_components(path)
        self.fail_if_asked("read")
        if path not in self.published:
            raise StorageRefused(f"{self.address(path)}: it is not there")
        end = None if length is None else offset + length
        if content := self.published[path][offset:end]:
            yield content

    def exists(self, path: str) -> bool:
        """Whether anything exists under ``path``."""
        path_components(path)
        self.fail_if_asked("exists")
        return self._exists(path)

    def stat_many(self, paths: Sequence[str]) -> list[CopyStat | StorageError | None]:
        """What exists at each path. A memory without our mark is not there."""
        self.fail_if_asked("stat_many")
        if self.found_mark() is NoMark.MISSING:
            raise StorageRefused("the memory is not there")
        return [self._stat(path) for path in paths]

    def _stat(self, path: str) -> CopyStat | StorageError | None:
        try:
            path_components(path)
        except StorageRefused as error:
            return error
        if path in self.published:
            return CopyStat(len(self.published[path]), self.mtimes_ns[path])
        return NotAFile(f"{self.address(path)} is not a file") if self._exists(path) else None

    def paths(self) -> Iterator[str]:
        """Every published file."""
        self.fail_if_asked("paths")
        yield from list(self.published)

    def staged_names(self) -> list[str]:
        """The staged files at this moment."""
        self.fail_if_asked("staged_names")
        return list(self.staged)

    def early_staged_names(self) -> list[str]:
        """Files that were staged before each catalog had a staging area of its own."""
        return list(self.early_staged)

    def discard_early(self, staged_name: str) -> None:
        """Remove one of these; if it exists."""
        checked_staged_name(staged_name)
        self.early_staged.pop(staged_name, None)

    def discard(self, staged_name: str) -> None:
        """Remove a staged file; if it exists."""
        checked_staged_name(staged_name)
        self.fail_if_asked("discard")
        self.staged.pop(staged_name, None)

    def journal(self, catalog_id: uuid.UUID) -> "MemoryJournal":
        """The journals of one catalog."""
        return self.journals.setdefault(catalog_id, MemoryJournal(self))

    def address(self, path: str) -> str:
        """How a person would name the place of ``path``."""
        return f"memory:/{path}"

    def _exists(self, path: str) -> bool:
        return path in self.published or any(file.startswith(f"{path}/") for file in self.published)
