"""Where copies are written before they get their final names: a folder on the same file system."""

import os
import secrets
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from streamweave.errors import StorageError
from streamweave.storage.base import NO_MTIMES
from streamweave.storage.file_io import BlockWriter, as_storage_error, set_mtime, storage_errors
from streamweave.storage.flushing import Flushing
from streamweave.storage.safe_path import (
    BaseFolder,
    checked_staged_name,
    content_of,
    open_folder,
    open_uncached,
    uncached_chunks,
)

STAGED_SUFFIX = ".part"
PUBLISHED_MODE = 0o440  # less what the umask takes away; the handle that creates the file may write all the same
_flush_data = getattr(os, "fdatasync", os.fsync)  # macOS knows fsync only


class StagedFile:
    """A staged file that is being written."""

    def __init__(self, handle: int, address: Path, mtime: datetime | None) -> None:
        self._handle = handle
        self._address = address
        self._mtime = mtime
        with storage_errors(address):
            self._blocks = BlockWriter(handle)

    def write(self, data: bytes) -> None:
        with storage_errors(self._address):
            self._blocks.write(data)

    def settle(self) -> int:
        """Bring what was written so far to the device, but for a part of a block; returns how many bytes that are."""
        written = self._blocks.written_bytes
        with storage_errors(self._address):
            _flush_data(self._handle)
        return written

    def flush(self) -> None:
        """Return when all bytes are on stable storage."""
        with storage_errors(self._address):
            self._blocks.finish()
            set_mtime(self._handle, self._mtime)
            os.fsync(self._handle)


class StagingArea:
    """The staged files in ``folder``, components below ``base``. Every method raises ``StorageError``."""

    def __init__(self, base: BaseFolder, folder: tuple[str, ...], flushing: Flushing) -> None:
        self._base = base
        self._flushing = flushing
        self.folder = folder
        self._one_writes = threading.Lock()
        self.place = base.path.joinpath(*folder)

    def prepare(self) -> None:
        """Make the folder if there is none, and prove that we can write there, with a file that is removed again."""
        with storage_errors(self.place), open_folder(self._base, self.folder, make=True) as folder:
            probe = f"{secrets.token_hex(8)}.probe"
            os.close(_create(probe, folder))
            os.unlink(probe, dir_fd=folder)

    @contextmanager
    def stage(self, staged_name: str, mtime: datetime | None = None) -> Iterator[StagedFile]:
        """A new file; after an error nothing is left of it."""
        name = file_name(staged_name)
        with storage_errors(self.place / name), self.open() as folder:
            handle = _create(name, folder)
        try:
            staged = StagedFile(handle, self.place / name, mtime)
            yield staged
            staged.flush()
        except BaseException:
            with suppress(StorageError):
                self.discard(staged_name)
            raise
        finally:
            os.close(handle)

    def stage_whole(
        self, contents: Mapping[str, bytes], mtimes: Mapping[str, datetime] = NO_MTIMES
    ) -> dict[str, StorageError]:
        """Many new files, all on the device in the end but those that failed: of them nothing is left.

        One thread writes at a time, while others flush: threads that make files in the same folder wait for each other,
        at the processor's cost.
        """
        failed: dict[str, StorageError] = {}
        written: dict[str, int] = {}
        try:
            with storage_errors(self.place), self.open() as folder:
                with self._one_writes:
                    for staged_name, content in contents.items():
                        try:
                            mtime = mtimes.get(staged_name)
                            written[staged_name] = _written(file_name(staged_name), folder, content, mtime)
                        except (OSError, StorageError) as error:
                            failed[staged_name] = self._error(staged_name, error)
                unflushed = self._flushing.flush_new(written, folder)
            for staged_name, fault in unflushed.items():
                failed[staged_name] = self._error(staged_name, fault)
                self.discard(staged_name)
        except StorageError as error:
            return {staged_name: failed.get(staged_name, error) for staged_name in contents}
        finally:
            for handle in written.values():
                os.close(handle)
        return failed

    def _error(self, staged_name: str, error: OSError | StorageError) -> StorageError:
        return error if isinstance(error, StorageError) else as_storage_error(error, self.place / staged_name)

    def chunks(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[memoryview]:
        """A staged file's content, read from the device where the system lets us ask for that."""
        path = (*self.folder, file_name(staged_name))
        return uncached_chunks(self._base, path, offset=offset, length=length)

    def read_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """The content of each, or its error, read from the device where the system lets us ask for that.

        The device is asked for all of them before the first is waited for.
        """
        asked: deque[tuple[str, int | StorageError]] = deque()
        try:
            with storage_errors(self.place), self.open() as folder:
                asked.extend((staged_name, self._asked(staged_name, folder)) for staged_name in staged_names)
            while asked:
                yield self._content(*asked.popleft())
        except StorageError as error:
            yield from [error] * len(staged_names)
        finally:
            for _, handle in asked:
                if isinstance(handle, int):
                    os.close(handle)

    def _asked(self, staged_name: str, folder: int) -> int | StorageError:
        try:
            return open_uncached(file_name(staged_name), folder)
        except (OSError, StorageError) as error:
            return self._error(staged_name, error)

    def _content(self, staged_name: str, handle: int | StorageError) -> bytes | StorageError:
        if isinstance(handle, StorageError):
            return handle
        try:
            return content_of(handle)
        except OSError as error:
            return self._error(staged_name, error)
        finally:
            os.close(handle)

    def names(self) -> list[str]:
        """The staged files at this moment; none if nothing was ever staged here."""
        with storage_errors(self.place), open_folder(self._base, self.folder[:1]):  # raises without the location
            try:
                with self.open() as folder:
                    names = os.listdir(folder)
            except FileNotFoundError:
                return []
        return [name.removesuffix(STAGED_SUFFIX) for name in names if name.endswith(STAGED_SUFFIX)]

    def discard(self, staged_name: str) -> None:
        name = file_name(staged_name)
        with storage_errors(self.place / name), self.open() as folder, suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)

    def open(self) -> AbstractContextManager[int]:
        """A handle of the folder. Raises ``OSError``."""
        return open_folder(self._base, self.folder)


def file_name(staged_name: str) -> str:
    """The name of a staged file in its folder. Raises ``StorageRefused`` for what is not a single name."""
    return checked_staged_name(staged_name) + STAGED_SUFFIX


def write_all(handle: int, data: bytes) -> None:
    """Write ``data``, however little the system takes at a time."""
    written = os.write(handle, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(handle, rest) :]


def _create(name: str, folder: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return os.open(name, flags, PUBLISHED_MODE, dir_fd=folder)
    except FileExistsError:
        # A name left by an interrupted move may be a second name of a published file: never truncate it.
        os.unlink(name, dir_fd=folder)
        return os.open(name, flags, PUBLISHED_MODE, dir_fd=folder)


def _written(name: str, folder: int, content: bytes, mtime: datetime | None) -> int:
    """A handle of a new file with this content."""
    handle = _create(name, folder)
    try:
        write_all(handle, content)
        set_mtime(handle, mtime)
    except BaseException:
        os.close(handle)
        os.unlink(name, dir_fd=folder)
        raise
    return handle
