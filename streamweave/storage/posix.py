"""A storage location that is a folder of a POSIX file system.

Beside the published files the folder holds ``.streamweave/``: the mark ``location``, by which the place is recognised;
``incoming/``, where each catalog has a staging area of its own; and ``journal/``, the record of what was archived.
"""

import os
import stat
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from streamweave.errors import (
    DestinationOccupied,
    NotAFile,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.base import (
    HEAD,
    JOURNALS,
    NO_MTIMES,
    NOT_LEGIBLE,
    CopyStat,
    Reached,
    checked_name,
    head_content,
    is_name,
    parse_head,
)
from streamweave.storage.file_io import as_path_error, as_storage_error, move_without_replacing, storage_errors
from streamweave.storage.flushing import Flushing
from streamweave.storage.marks import LONGEST_MARK, FoundMark, Mark, NoMark, parse_mark, refusal
from streamweave.storage.safe_path import (
    CONTROL,
    BaseFolder,
    closing_handle,
    exists,
    file_chunks,
    open_folder,
    open_inner_folder,
    open_uncached,
    version_components,
)
from streamweave.storage.staging import StagedFile, StagingArea, file_name, write_all

SUFFIX = ".jsonl"
JOURNAL_MODE = 0o640  # less what the umask takes away
INCOMING = (CONTROL, "incoming")
MARK = "location"
HANDLES_AT_ONCE = 64
LONGEST_ADDRESS = 4095  # bytes of a full path that programs can open: PATH_MAX of Linux, less the NUL at its end


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


def _opened(name: str, folder: int) -> AbstractContextManager[int]:
    """A handle of a file, at its beginning; it is made if need be."""
    return closing_handle(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, JOURNAL_MODE, dir_fd=folder))


class PosixStorage:
    """Versions below ``base_path``. ``streamweave.storage.base.Storage`` says what each method promises.

    ``check_place`` raises ``StorageRefused`` when nothing may be written there; it is asked before the first write.
    """

    def __init__(self, base_path: Path, check_place: Callable[[], None] = lambda: None) -> None:
        self._base = base_path
        self._root = BaseFolder(base_path)
        self._check_place = check_place
        self._flushing = Flushing()
        self._early_staging = StagingArea(self._root, INCOMING, self._flushing)
        self._own_staging: StagingArea | None = None
        self._durable_folders: set[tuple[str, ...]] = set()

    def prepare(self, mark: Mark, *, is_new: bool = False) -> None:
        self._check_place()
        if is_new and self.found_mark() in (NoMark.NO_FOLDER, NoMark.MISSING):
            with storage_errors(self._base):
                self._base.mkdir(parents=True, exist_ok=True)
            self._write_mark(mark, replace=False)
        self.check_mark(mark)
        self._staging.prepare()

    def check_mark(self, mark: Mark) -> None:
        """Pins the folder: another one at the same path is refused from now on."""
        with storage_errors(self._base), open_folder(self._root) as base:
            if why := refusal(str(self._base), _mark_in(base), mark):
                raise StorageRefused(why)
            self._root.pin(base)
        self._own_staging = StagingArea(self._root, (*INCOMING, str(mark.catalog_id)), self._flushing)

    def found_mark(self) -> FoundMark:
        """The mark in the folder; ``NO_FOLDER`` if there is no folder."""
        with storage_errors(self._base):
            try:
                with open_folder(self._root) as base:
                    return _mark_in(base)
            except FileNotFoundError:
                return NoMark.NO_FOLDER

    def put_mark(self, mark: Mark) -> None:
        """A folder that does not exist is refused rather than made."""
        self._check_place()
        self._write_mark(mark, replace=True)

    @property
    def _staging(self) -> StagingArea:
        if self._own_staging is None:
            raise StorageRefused(f"{self._base}: nothing may be staged before its mark was compared")
        return self._own_staging

    def stage(self, staged_name: str, mtime: datetime | None = None) -> AbstractContextManager[StagedFile]:
        return self._staging.stage(staged_name, mtime)

    def stage_whole(
        self, contents: Mapping[str, bytes], mtimes: Mapping[str, datetime] = NO_MTIMES
    ) -> dict[str, StorageError]:
        try:
            return self._staging.stage_whole(contents, mtimes)
        except StorageError as error:
            return dict.fromkeys(contents, error)

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes | memoryview]:
        return self._staging.chunks(staged_name, offset, length)

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        return self._staging.read_whole(staged_names)

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """The files are read-only from then on. A folder that several of them in a row go into is opened once."""
        failed: dict[str, StorageError] = {
            staged_name: PathUnusable(f"{self.address(path)}: the path is longer than {LONGEST_ADDRESS} bytes")
            for staged_name, path in paths.items()
            if len(self.address(path).encode(errors="surrogatepass")) > LONGEST_ADDRESS
        }
        usable = [move for move in paths.items() if move[0] not in failed]
        try:
            with storage_errors(self._base), self._staging.open() as incoming:
                for folder, moves in groupby(usable, lambda move: move[1].rpartition("/")[0]):
                    failed |= self._publish_into(folder, list(moves), incoming)
        except StorageError as error:
            failed |= dict.fromkeys(paths.keys() - failed.keys(), error)
        return failed

    def _publish_into(self, folder: str, moves: Sequence[tuple[str, str]], incoming: int) -> dict[str, StorageError]:
        failed: dict[str, StorageError] = {}
        try:
            components = version_components(moves[0][1])[:-1]
            with storage_errors(self._base / folder), self._final_folder(components) as final:
                for staged_name, path in moves:
                    try:
                        self._move(file_name(staged_name), incoming, path, final)
                    except StorageError as error:
                        failed[staged_name] = error
        except StorageError as error:
            return dict.fromkeys((staged_name for staged_name, _ in moves), error)
        return failed

    @contextmanager
    def _final_folder(self, components: Sequence[str]) -> Iterator[int]:
        """A handle of a folder for versions, made where it is missing. Raises ``StorageError``."""
        with ExitStack() as opened:
            try:
                handle = opened.enter_context(open_folder(self._root, components, make=True))
            except OSError as error:
                place = self._base.joinpath(*components)
                raise as_path_error(error, place, self._unusable_part(components)) from error
            yield handle

    def _unusable_part(self, components: Sequence[str]) -> int:
        """Which part of a folder's path is the first that can't be opened."""
        for part in range(len(components)):
            try:
                with open_folder(self._root, components[: part + 1]):
                    pass
            except OSError:
                return part
        return -1

    def _move(self, staged: str, incoming: int, path: str, final: int) -> None:
        try:
            move_without_replacing(staged, incoming, version_components(path)[-1], final)
        except FileExistsError as error:
            raise DestinationOccupied(f"{self.address(path)} exists already") from error
        except FileNotFoundError as error:
            if exists(staged, incoming):
                raise as_storage_error(error, self.address(path)) from error
            raise StorageUnavailable(f"{self._staging.place / staged} is gone") from error
        except OSError as error:
            raise as_path_error(error, self.address(path), -1) from error

    def make_durable(self, paths: Iterable[str]) -> None:
        """Flush the folders of ``paths``, and above them every folder that holds a name we have not flushed yet.

        The staging area as well: without a journal of the file system, names that have left it would reappear.
        """
        folders = {version_components(path)[:-1] for path in paths}
        above = {folder[:depth] for folder in folders for depth in range(1, len(folder) + 1)} - self._durable_folders
        if folders:
            self._flush(folders | {folder[:-1] for folder in above} | {self._staging.folder})
            self._durable_folders |= above

    def read(
        self, path: str, offset: int = 0, length: int | None = None, *, uncached: bool = False
    ) -> Generator[bytes, None, None]:
        components = version_components(path)
        chunks = file_chunks(self._root, components, offset=offset, length=length)
        return self._from_the_device(components, chunks) if uncached else chunks

    def _from_the_device(
        self, components: Sequence[str], chunks: Generator[bytes, None, None]
    ) -> Generator[bytes, None, None]:
        *folder, name = components
        with storage_errors(self._base.joinpath(*components)), open_folder(self._root, folder) as final:
            os.close(open_uncached(name, final))
        yield from chunks

    def exists(self, path: str) -> bool:
        *folder, name = version_components(path)
        with storage_errors(self.address(path)), open_folder(self._root, (CONTROL,)):
            try:
                with open_folder(self._root, folder) as final:
                    return exists(name, final)
            except FileNotFoundError:
                return False

    def stat_many(self, paths: Sequence[str]) -> list[CopyStat | StorageError | None]:
        """Each folder is opened once, and all from one handle of the location."""
        found: list[CopyStat | StorageError | None] = [None] * len(paths)
        folders: defaultdict[tuple[str, ...], list[tuple[int, str]]] = defaultdict(list)
        for number, path in enumerate(paths):
            try:
                *folder, name = version_components(path)
            except StorageRefused as error:
                found[number] = error
            else:
                folders[tuple(folder)].append((number, name))
        with storage_errors(self._base), open_folder(self._root) as base, open_inner_folder(base, (CONTROL,)):
            for components, files in folders.items():
                for number, answer in self._stat_files(base, components, files):
                    found[number] = answer
        return found

    def _stat_files(
        self, base: int, folder: tuple[str, ...], files: Sequence[tuple[int, str]]
    ) -> Iterator[tuple[int, CopyStat | StorageError | None]]:
        try:
            with open_inner_folder(base, folder) as handle:
                for number, name in files:
                    yield number, self._stat_file(handle, folder, name)
        except FileNotFoundError:
            yield from ((number, None) for number, _ in files)
        except OSError as error:
            yield from ((number, as_storage_error(error, self._base.joinpath(*folder, name))) for number, name in files)

    def _stat_file(self, handle: int, folder: tuple[str, ...], name: str) -> CopyStat | StorageError | None:
        try:
            status = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            return as_storage_error(error, self._base.joinpath(*folder, name))
        if not stat.S_ISREG(status.st_mode):
            return NotAFile(f"{self._base.joinpath(*folder, name)} is not a file")
        return CopyStat(status.st_size, status.st_mtime_ns)

    def paths(self) -> Iterator[str]:
        """Links are neither listed nor followed. Folders are opened by handles: their paths may be longer than the
        system takes in one piece.
        """
        with storage_errors(self._base), open_folder(self._root, (CONTROL,)):
            folders: list[tuple[str, ...]] = [()]
            while folders:
                folder = folders.pop()
                with open_folder(self._root, folder) as handle, os.scandir(handle) as entries:
                    for entry in entries:
                        components = (*folder, entry.name)
                        if entry.is_dir(follow_symlinks=False) and components != (CONTROL,):
                            folders.append(components)
                        elif entry.is_file(follow_symlinks=False):
                            yield "/".join(components)

    def staged_names(self) -> list[str]:
        return self._staging.names()

    def early_staged_names(self) -> list[str]:
        """The files directly in ``incoming/``."""
        return self._early_staging.names()

    def discard_early(self, staged_name: str) -> None:
        self._early_staging.discard(staged_name)

    def discard(self, staged_name: str) -> None:
        self._staging.discard(staged_name)

    def journal(self, catalog_id: uuid.UUID) -> FolderJournal:
        """Files in ``.streamweave/journal/<catalog_id>``."""
        return FolderJournal(self._root, str(catalog_id))

    def address(self, path: str) -> str:
        return os.path.join(self._base, path)

    def _write_mark(self, mark: Mark, *, replace: bool) -> None:
        """Write the mark aside and rename it in one step; unless ``replace``, a mark that is there already stays."""
        aside = f"{MARK}.{mark.location_id}"
        with storage_errors(self._base), open_folder(self._root, (CONTROL,), make=True) as control:
            _write_durably(aside, control, mark.content())
            if replace:
                os.rename(aside, MARK, src_dir_fd=control, dst_dir_fd=control)
            else:
                with suppress(FileExistsError):
                    move_without_replacing(aside, control, MARK, control)
        self._flush({(CONTROL,), ()})

    def _flush(self, folders: Collection[tuple[str, ...]]) -> None:
        todo = sorted(folders)
        while todo:
            some, todo = todo[:HANDLES_AT_ONCE], todo[HANDLES_AT_ONCE:]
            with ExitStack() as opened:
                handles: dict[tuple[str, ...], int] = {}
                for folder in some:
                    with storage_errors(self._base.joinpath(*folder)):
                        handles[folder] = opened.enter_context(open_folder(self._root, folder))
                for folder, error in self._flushing.flush(handles).items():
                    raise as_storage_error(error, self._base.joinpath(*folder))


def _mark_in(base: int) -> FoundMark:
    """The mark below the folder handle ``base``. Raises ``OSError`` when it can't be read."""
    try:
        handle = os.open(f"{CONTROL}/{MARK}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=base)
    except FileNotFoundError:
        return NoMark.MISSING
    with closing_handle(handle):
        return parse_mark(os.read(handle, LONGEST_MARK))


def _write_durably(name: str, folder: int, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with closing_handle(os.open(name, flags, 0o644, dir_fd=folder)) as handle:
        write_all(handle, content)
        os.fsync(handle)
