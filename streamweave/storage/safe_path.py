"""Paths within a storage location, and a folder tree that none of them leads out of.

A path is walked component by component on folder handles, each opened with ``O_NOFOLLOW``. Resolving the path first and
comparing it with the base would be shorter, but a link could be put in between the comparison and the use.
"""

import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from streamweave.errors import StorageRefused
from streamweave.storage.file_io import direct_chunks, storage_errors

CONTROL = ".streamweave"
"""The folder of each storage location that is StreamWeave's own."""
FOLDER_MODE = 0o770  # less what the umask takes away
CHUNK_BYTES = 1 << 20


def path_components(path: str) -> tuple[str, ...]:
    """The components of a relative, ``/``-separated path.

    Raises ``StorageRefused`` for whatever could lead out of the base or can't be a name: an absolute path, an empty
    component, ``.``, ``..``, NUL, or text that is not valid Unicode.
    """
    components = tuple(path.split("/"))
    if any(component in {"", ".", ".."} for component in components) or "\0" in path:
        raise StorageRefused(f"{path!r} is not a path inside the storage location")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise StorageRefused(f"{path!r} is not valid Unicode") from error
    return components


def version_components(path: str) -> tuple[str, ...]:
    """The components of a path that a version may have. Raises ``StorageRefused`` as ``path_components`` does."""
    components = path_components(path)
    if components[0] == CONTROL:
        raise StorageRefused(f"{path!r} is not a path for versions: {CONTROL} is StreamWeave's own")
    return components


def checked_staged_name(staged_name: str) -> str:
    """The same name. Raises ``StorageRefused`` for what is not a single component."""
    if len(path_components(staged_name)) != 1:
        raise StorageRefused(f"{staged_name!r} is not a name of a staged file")
    return staged_name


class BaseFolder:
    """The folder that a tree begins with. It may be reached through links: its place is the administrator's choice.

    Once it is ``pinned``, every opening must lead to the very same folder. So nothing is written below a mount point
    whose disk has gone, nor to another disk that was mounted there in the meantime. No handle is kept, which would keep
    the disk from being unmounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pinned: tuple[int, int] | None = None

    def open(self) -> int:
        """A handle of it. Raises ``OSError``, or ``StorageRefused`` when another folder is there than was pinned."""
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        if self._pinned is not None and _identity(handle) != self._pinned:
            os.close(handle)
            raise StorageRefused(
                f"{self.path} is not the place it was a moment ago: is the disk mounted, or was it exchanged?"
            )
        return handle

    def pin(self, handle: int) -> None:
        """From now on the folder must be the one that ``handle`` is open for."""
        self._pinned = _identity(handle)


def _identity(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


@contextmanager
def open_folder(base: BaseFolder, components: Sequence[str] = (), *, make: bool = False) -> Iterator[int]:
    """A handle of the folder that ``components`` lead to below ``base``; ``make`` makes what is missing below it.

    Raises ``OSError``, or ``StorageRefused`` when the base is another folder than was pinned.
    """
    with _walked(base.open(), components, make=make) as handle:
        yield handle


@contextmanager
def open_inner_folder(outer: int, components: Sequence[str]) -> Iterator[int]:
    """A handle of the folder that ``components`` lead to below the folder handle ``outer``. Raises ``OSError``."""
    with _walked(os.dup(outer), components) as handle:
        yield handle


@contextmanager
def _walked(handle: int, components: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """``handle`` is closed here."""
    try:
        for component in components:
            inner = _open_inner(component, handle, make=make)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _open_inner(name: str, outer: int, *, make: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    if make:
        with suppress(FileNotFoundError):
            return os.open(name, flags, dir_fd=outer)
        with suppress(FileExistsError):  # another thread was faster
            os.mkdir(name, FOLDER_MODE, dir_fd=outer)
    return os.open(name, flags, dir_fd=outer)


@contextmanager
def closing_handle(handle: int) -> Iterator[int]:
    """Closes an open file behind the block."""
    try:
        yield handle
    finally:
        os.close(handle)


def exists(name: str, folder: int) -> bool:
    """Whether anything, a link included, exists under ``name`` in the folder handle ``folder``."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def file_chunks(
    base: BaseFolder, components: Sequence[str], *, offset: int = 0, length: int | None = None
) -> Generator[bytes, None, None]:
    """A regular file below ``base``, from ``offset`` on, ``length`` bytes or to its end, some MiB at a time.

    Raises ``StorageError``.
    """
    with _opened(base, components) as handle:
        _advise(handle, "POSIX_FADV_SEQUENTIAL")  # read far ahead
        os.lseek(handle, offset, os.SEEK_SET)
        while chunk := os.read(handle, CHUNK_BYTES if length is None else min(CHUNK_BYTES, length)):
            yield chunk
            length = None if length is None else length - len(chunk)


def uncached_chunks(
    base: BaseFolder, components: Sequence[str], *, offset: int = 0, length: int | None = None
) -> Iterator[memoryview]:
    """As ``file_chunks``, each chunk in the place of the last, and from the device.

    Where the system transfers nothing directly, the file's pages are dropped from the cache first.
    """
    with _opened(base, components) as handle:
        _advise(handle, "POSIX_FADV_DONTNEED", offset, length)
        yield from direct_chunks(handle, offset, length)


@contextmanager
def _opened(base: BaseFolder, components: Sequence[str]) -> Iterator[int]:
    address = base.path.joinpath(*components)
    with (
        storage_errors(address),
        open_folder(base, components[:-1]) as folder,
        closing_handle(_open_file(components[-1], folder)) as handle,
    ):
        yield handle


def open_uncached(name: str, folder: int) -> int:
    """A handle of a regular file in the folder handle ``folder``, whose content is on its way from the device.

    That is asked of the system: to drop the file's pages, and to begin to read them again without waiting for them.
    Raises ``OSError``, or ``StorageRefused`` for what is no file.
    """
    handle = _open_file(name, folder)
    try:
        _advise(handle, "POSIX_FADV_DONTNEED")
        _advise(handle, "POSIX_FADV_WILLNEED")
    except BaseException:
        os.close(handle)
        raise
    return handle


def content_of(handle: int) -> bytes:
    """All of a regular file that nothing has been read of yet. Raises ``OSError``."""
    size = os.fstat(handle).st_size
    content = os.read(handle, size + 1)  # one byte more shows the end with one call
    while len(content) != size and (more := os.read(handle, CHUNK_BYTES)):
        content += more
    return content


def _open_file(name: str, folder: int) -> int:
    # O_NONBLOCK: a pipe with this name must not make us wait for its writer
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StorageRefused(f"{name} is not a file")
    return handle


def _advise(handle: int, advice: str, offset: int = 0, length: int | None = None) -> None:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, offset, length or 0, getattr(os, advice))
