"""A storage location that is a folder of a POSIX file system.

Beside the published files the folder holds ``.streamweave/``: the mark ``location``, which tells the place from an
empty mount point, and ``incoming/``, the staging area.
"""

import os
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import groupby
from pathlib import Path

from streamweave.errors import DestinationOccupied, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.enclosure import file_chunks, open_folder, open_uncached, path_components, stands
from streamweave.storage.faults import as_storage_error, storage_errors
from streamweave.storage.flushing import Flushing
from streamweave.storage.placing import move_without_replacing
from streamweave.storage.staging import StagedFile, StagingArea, file_name

CONTROL = ".streamweave"
INCOMING = (CONTROL, "incoming")
MARK = "location"
HANDLES_AT_ONCE = 64
MARK_TEXT = "This folder is a storage location of StreamWeave. Do not remove this file.\n"


class PosixStorage:
    """Versions below ``base_path``. ``streamweave.storage.base.Storage`` says what each method promises."""

    def __init__(self, base_path: Path) -> None:
        self._base = base_path
        self._flushing = Flushing()
        self._staging = StagingArea(base_path, INCOMING, self._flushing)
        self._durable_folders: set[tuple[str, ...]] = set()

    def prepare(self, *, holds_versions: bool) -> None:
        """Make the folder and its mark where that is allowed, and prove that we can write there."""
        with storage_errors(self._base):
            if holds_versions and not self._is_marked():
                raise StorageRefused(f"{self._base} is not the place it was: is the disk mounted?")
            self._base.mkdir(parents=True, exist_ok=True)
            with open_folder(self._base, INCOMING, make=True):
                if not self._is_marked():
                    self._mark()
        self._staging.prove_writable()

    def stage(self, staged_name: str) -> AbstractContextManager[StagedFile]:
        """Write a staged file from its beginning; after an error nothing stays of it."""
        return self._staging.stage(staged_name)

    def stage_whole(self, contents: Mapping[str, bytes]) -> dict[str, StorageError]:
        """Write many small staged files; they reach the device side by side."""
        return self._staging.stage_whole(contents)

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes | memoryview]:
        """Read a staged file back, past the page cache where the system can do that."""
        return self._staging.chunks(staged_name, offset, length)

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """Read many small staged files back; their pages are dropped from the cache first where that is possible."""
        return self._staging.read_whole(staged_names)

    def publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name. It is read-only from then on."""
        for error in self.publish_many({staged_name: path}).values():
            raise error

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """Publish many staged files; a folder that several of them in a row go into is walked to once."""
        failed: dict[str, StorageError] = {}
        try:
            with storage_errors(self._base), self._staging.open() as incoming:
                for folder, moves in groupby(paths.items(), lambda move: move[1].rpartition("/")[0]):
                    failed |= self._publish_into(folder, list(moves), incoming)
        except StorageError as error:
            failed |= dict.fromkeys(paths.keys() - failed.keys(), error)
        return failed

    def _publish_into(self, folder: str, moves: Sequence[tuple[str, str]], incoming: int) -> dict[str, StorageError]:
        failed: dict[str, StorageError] = {}
        try:
            way = _components(moves[0][1])[:-1]
            with storage_errors(self._base / folder), open_folder(self._base, way, make=True) as final:
                for staged_name, path in moves:
                    try:
                        self._move(file_name(staged_name), incoming, path, final)
                    except StorageError as error:
                        failed[staged_name] = error
        except StorageError as error:
            return dict.fromkeys((staged_name for staged_name, _ in moves), error)
        return failed

    def _move(self, staged: str, incoming: int, path: str, final: int) -> None:
        with storage_errors(self.address(path)):
            try:
                move_without_replacing(staged, incoming, _components(path)[-1], final)
            except FileExistsError as error:
                raise DestinationOccupied(f"{self.address(path)} exists already") from error
            except FileNotFoundError as error:
                if stands(staged, incoming):
                    raise
                raise StorageUnavailable(f"{self._staging.place / staged} is gone") from error

    def make_durable(self, paths: Iterable[str]) -> None:
        """Flush the folders of ``paths``, and above them every folder that holds a name we have not flushed yet.

        The staging area as well: without a journal, names that have left it would come back.
        """
        folders = {_components(path)[:-1] for path in paths}
        above = {folder[:depth] for folder in folders for depth in range(1, len(folder) + 1)} - self._durable_folders
        if folders:
            self._flush(folders | {folder[:-1] for folder in above} | {INCOMING})
            self._durable_folders |= above

    def read(
        self, path: str, offset: int = 0, length: int | None = None, *, uncached: bool = False
    ) -> Generator[bytes, None, None]:
        """Read a published file, or a span of it; ``uncached`` drops its pages first, where the system can do that."""
        components = _components(path)
        chunks = file_chunks(self._base, components, offset=offset, length=length)
        return self._from_the_device(components, chunks) if uncached else chunks

    def _from_the_device(
        self, components: Sequence[str], chunks: Generator[bytes, None, None]
    ) -> Generator[bytes, None, None]:
        *folder, name = components
        with storage_errors(self._base.joinpath(*components)), open_folder(self._base, folder) as final:
            os.close(open_uncached(name, final))
        yield from chunks

    def exists(self, path: str) -> bool:
        """Whether anything stands under ``path``. A location that is not there at all raises."""
        *folder, name = _components(path)
        with storage_errors(self.address(path)), self._staging.open():
            try:
                with open_folder(self._base, folder) as final:
                    return stands(name, final)
            except FileNotFoundError:
                return False

    def paths(self) -> Iterator[str]:
        """Every published file; links are neither listed nor followed. A location that is not there raises."""
        with storage_errors(self._base), self._staging.open():
            folders = [""]
            while folders:
                folder = folders.pop()
                with os.scandir(self._base / folder) as entries:
                    for entry in entries:
                        path = folder + entry.name
                        if entry.is_dir(follow_symlinks=False) and path != CONTROL:
                            folders.append(f"{path}/")
                        elif entry.is_file(follow_symlinks=False):
                            yield path

    def staged_names(self) -> list[str]:
        """The staged files that stand at this moment."""
        return self._staging.names()

    def discard(self, staged_name: str) -> None:
        """Remove a staged file; it is fine if there is none."""
        self._staging.discard(staged_name)

    def address(self, path: str) -> str:
        """The full path of the file."""
        return os.path.join(self._base, path)

    def _is_marked(self) -> bool:
        return (self._base / CONTROL / MARK).is_file()

    def _mark(self) -> None:
        with open_folder(self._base, [CONTROL]) as control:
            handle = os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644, dir_fd=control)
            with os.fdopen(handle, "w") as mark:
                mark.write(MARK_TEXT)
                mark.flush()
                os.fsync(handle)
        self._flush({(CONTROL,), ()})

    def _flush(self, folders: Collection[tuple[str, ...]]) -> None:
        todo = sorted(folders)
        while todo:
            some, todo = todo[:HANDLES_AT_ONCE], todo[HANDLES_AT_ONCE:]
            with ExitStack() as opened:
                handles: dict[tuple[str, ...], int] = {}
                for folder in some:
                    with storage_errors(self._base.joinpath(*folder)):
                        handles[folder] = opened.enter_context(open_folder(self._base, folder))
                for folder, error in self._flushing.flush(handles).items():
                    raise as_storage_error(error, self._base.joinpath(*folder))


def _components(path: str) -> tuple[str, ...]:
    components = path_components(path)
    if components[0] == CONTROL:
        raise StorageRefused(f"{path!r} is not a path for versions: {CONTROL} is StreamWeave's own")
    return components
