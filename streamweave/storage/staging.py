"""Where copies are written before they get their final names: a folder on the same file system."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamweave.errors import StorageRefused
from streamweave.storage.enclosure import file_chunks, open_folder, path_components
from streamweave.storage.faults import storage_errors

STAGED_SUFFIX = ".part"
PUBLISHED_MODE = 0o440  # less what the umask takes away; the handle that creates the file may write all the same


class StagedFile:
    """A staged file that is being written."""

    def __init__(self, handle: int, address: Path) -> None:
        self._handle = handle
        self._address = address

    def write(self, data: bytes) -> None:
        """Append ``data``, all of it."""
        rest = memoryview(data)
        with storage_errors(self._address):
            while rest:
                rest = rest[os.write(self._handle, rest) :]

    def flush(self) -> None:
        """Return when the bytes are on stable storage."""
        with storage_errors(self._address):
            os.fsync(self._handle)


class StagingArea:
    """The staged files in ``folder``, components below ``base``. Raises ``StorageError``."""

    def __init__(self, base: Path, folder: tuple[str, ...]) -> None:
        self._base = base
        self._folder = folder
        self.place = base.joinpath(*folder)

    def prove_writable(self) -> None:
        """Make a file without a name, and let it go again."""
        with storage_errors(self.place), tempfile.TemporaryFile(dir=self.place):
            pass

    @contextmanager
    def stage(self, staged_name: str) -> Iterator[StagedFile]:
        """A new file; after an error nothing stays of it."""
        name = file_name(staged_name)
        handle = self._create(name)
        try:
            staged = StagedFile(handle, self.place / name)
            yield staged
            staged.flush()
        except BaseException:
            with suppress(OSError):
                os.unlink(self.place / name)
            raise
        finally:
            os.close(handle)

    def _create(self, name: str) -> int:
        with storage_errors(self.place / name), self.open() as folder:
            # A name left by a move that was cut short may be a second name of a published file: never truncate it.
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PUBLISHED_MODE, dir_fd=folder)

    def chunks(self, staged_name: str) -> Iterator[bytes]:
        """A staged file's content, read from the device where the system lets us ask for that."""
        return file_chunks(self._base, (*self._folder, file_name(staged_name)), uncached=True)

    def names(self) -> list[str]:
        """The staged files that stand at this moment."""
        with storage_errors(self.place), self.open() as folder:
            names = os.listdir(folder)
        return [name.removesuffix(STAGED_SUFFIX) for name in names if name.endswith(STAGED_SUFFIX)]

    def discard(self, staged_name: str) -> None:
        """Remove a staged file; it is fine if there is none."""
        name = file_name(staged_name)
        with storage_errors(self.place / name), self.open() as folder, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)

    @contextmanager
    def open(self) -> Iterator[int]:
        """A handle of the folder. Raises ``OSError``."""
        with open_folder(self._base, self._folder) as handle:
            yield handle


def file_name(staged_name: str) -> str:
    """The name of a staged file in its folder. Raises ``StorageRefused`` for what is not a single name."""
    if len(path_components(staged_name)) != 1:
        raise StorageRefused(f"{staged_name!r} is not a name of a staged file")
    return staged_name + STAGED_SUFFIX
