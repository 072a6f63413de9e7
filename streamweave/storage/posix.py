"""A storage location that is a folder of a POSIX file system.

Beside the published files the folder holds ``.streamweave/``: the mark ``location``, which tells the place from an
empty mount point, and ``incoming/``, the staging area.
"""

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from streamweave.errors import DestinationOccupied, StorageRefused, StorageUnavailable
from streamweave.storage.enclosure import file_chunks, open_folder, path_components, stands
from streamweave.storage.faults import storage_errors
from streamweave.storage.placing import move_without_replacing
from streamweave.storage.staging import StagedFile, StagingArea, file_name

CONTROL = ".streamweave"
MARK = "location"
MARK_TEXT = "This folder is a storage location of StreamWeave. Do not remove this file.\n"


class PosixStorage:
    """Versions below ``base_path``. ``streamweave.storage.base.Storage`` says what each method promises."""

    def __init__(self, base_path: Path) -> None:
        self._base = base_path
        self._staging = StagingArea(base_path, (CONTROL, "incoming"))
        self._durable_folders: set[tuple[str, ...]] = set()

    def prepare(self, *, holds_versions: bool) -> None:
        """Make the folder and its mark where that is allowed, and prove that we can write there."""
        with storage_errors(self._base):
            if holds_versions and not self._is_marked():
                raise StorageRefused(f"{self._base} is not the place it was: is the disk mounted?")
            self._base.mkdir(parents=True, exist_ok=True)
            with open_folder(self._base, (CONTROL, "incoming"), make=True):
                if not self._is_marked():
                    self._mark()
        self._staging.prove_writable()

    def stage(self, staged_name: str) -> AbstractContextManager[StagedFile]:
        """Write a staged file from its beginning; after an error nothing stays of it."""
        return self._staging.stage(staged_name)

    def read_staged(self, staged_name: str) -> Iterator[bytes]:
        """Read a staged file back; its pages are dropped from the cache first where the system lets us ask for that."""
        return self._staging.chunks(staged_name)

    def publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name. It is read-only from then on."""
        *folder, name = _components(path)
        staged = file_name(staged_name)
        with storage_errors(self.address(path)), self._staging.open() as incoming:
            if not stands(staged, incoming):
                raise StorageUnavailable(f"{self._staging.place / staged} is gone")
            with open_folder(self._base, folder, make=True) as final:
                try:
                    move_without_replacing(staged, incoming, name, final)
                except FileExistsError as error:
                    raise DestinationOccupied(f"{self.address(path)} exists already") from error

    def make_durable(self, paths: Iterable[str]) -> None:
        """Flush the folders of ``paths``, and above them every folder that holds a name we have not flushed yet."""
        for folder in {_components(path)[:-1] for path in paths}:
            self._flush(folder)
            for depth in range(len(folder), 0, -1):
                if folder[:depth] not in self._durable_folders:
                    self._flush(folder[: depth - 1])
                    self._durable_folders.add(folder[:depth])

    def read(self, path: str, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Read a published file, or a span of it."""
        return file_chunks(self._base, _components(path), offset=offset, length=length)

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
        return str(self._base / path)

    def _is_marked(self) -> bool:
        return (self._base / CONTROL / MARK).is_file()

    def _mark(self) -> None:
        with open_folder(self._base, [CONTROL]) as control:
            handle = os.open(MARK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644, dir_fd=control)
            with os.fdopen(handle, "w") as mark:
                mark.write(MARK_TEXT)
                mark.flush()
                os.fsync(handle)
        self._flush((CONTROL,))
        self._flush(())

    def _flush(self, folder: tuple[str, ...]) -> None:
        with storage_errors(self._base.joinpath(*folder)), open_folder(self._base, folder) as handle:
            os.fsync(handle)


def _components(path: str) -> tuple[str, ...]:
    components = path_components(path)
    if components[0] == CONTROL:
        raise StorageRefused(f"{path!r} is not a path for versions: {CONTROL} is StreamWeave's own")
    return components
