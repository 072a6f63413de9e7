"""Files of an archive: read and written past the page cache, renamed without replacing, their errors, and their times.

A copy is written once and read back once, and the reading back must not come from the cache. So caching it would cost
the processor more than all the rest of a transfer, and push out of the memory what others use. Linux transfers whole
blocks directly, from and to memory that begins on a page; what can't be transferred like that (the end of a file, a
file system without direct transfers) goes through the cache.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from streamweave.errors import PathUnusable, StorageError, StorageRefused, StorageUnavailable

Data = TypeVar("Data")

BLOCK_BYTES = 4 << 20
_DIRECT = getattr(os, "O_DIRECT", 0)

# Errors of a final path that another name avoids: something else has the name of one of its parts (or a folder holds
# as many folders as it can), or the file system takes no such name.
IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EMLINK})
NO_SUCH_NAME = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})
# Permanent until a person changes something; every other error may pass.
LASTING = NO_SUCH_NAME | {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EXDEV}
LASTING |= {errno.ENOTDIR, errno.EISDIR, errno.ELOOP}

EXPLANATIONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "it is read-only",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ENOTDIR: "part of the path is a file or a link, not a folder",
    errno.ELOOP: "part of the path is a link, which is not followed",
    errno.ENOENT: "it is not there: is the disk mounted?",
    errno.EXDEV: "it lies on another file system than the location",
}

FIRST_TIME, LAST_TIME = datetime(1901, 12, 14, tzinfo=UTC), datetime(2038, 1, 19, tzinfo=UTC)
"""What every file system for archives can hold: 32 bits of seconds around 1970."""
GRANULARITY_NS = 2_000_000_000
"""The coarsest clock of a file system (FAT and exFAT keep even seconds)."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""So far the clock of a storage server may be ahead of ours."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# where times can't be set, or only by others, the copy keeps the time at which it was made
_NOT_TO_BE_SET = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EOVERFLOW}
)


def is_direct(handle: int) -> bool:
    """Whether transfers bypass the cache."""
    return bool(_DIRECT and fcntl.fcntl(handle, fcntl.F_GETFL) & _DIRECT)


def make_direct(handle: int) -> None:
    """Let transfers bypass the cache from here on, if the file system can do that."""
    if _DIRECT:
        try:
            fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) | _DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise


def make_cached(handle: int) -> None:
    """Let transfers go through the cache from here on."""
    if _DIRECT:
        fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) & ~_DIRECT)


class BlockWriter:
    """Writes a file from its beginning in whole blocks. Raises ``OSError``.

    ``written_bytes`` have left for the device; up to a block more waits until it is full, or for `finish`.
    """

    def __init__(self, handle: int) -> None:
        make_direct(handle)
        self._handle = handle
        self._block = memoryview(mmap.mmap(-1, BLOCK_BYTES))
        self._filled = 0
        self.written_bytes = 0

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            taken = rest[: BLOCK_BYTES - self._filled]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            rest = rest[len(taken) :]
            if self._filled == BLOCK_BYTES:
                self._write_all(self._block)
                self._filled = 0

    def finish(self) -> None:
        """Write what is left: whole pages directly, the end of the last one through the cache."""
        whole = self._filled - self._filled % mmap.PAGESIZE
        self._write_all(self._block[:whole])
        make_cached(self._handle)
        self._write_all(self._block[whole : self._filled])
        self._filled = 0

    def _write_all(self, data: memoryview) -> None:
        while data:
            written = _transferred(self._handle, os.write, data)
            self.written_bytes += written
            data = data[written:]


def direct_chunks(handle: int, offset: int, length: int | None) -> Iterator[memoryview]:
    """A file from ``offset`` on, ``length`` bytes or to its end, in blocks; each overwrites the last in memory.

    Raises ``OSError``.
    """
    make_direct(handle)
    os.lseek(handle, offset, os.SEEK_SET)
    block = memoryview(mmap.mmap(-1, BLOCK_BYTES))
    while length is None or length > 0:
        chunk = block[: _transferred(handle, os.readv, [block])][:length]
        if not chunk:
            return
        yield chunk
        length = None if length is None else length - len(chunk)


def _transferred(handle: int, transfer: Callable[[int, Data], int], data: Data) -> int:
    """How many bytes ``transfer`` moves: through the cache where place or length forbid a direct transfer."""
    try:
        return transfer(handle, data)
    except OSError as error:
        if error.errno != errno.EINVAL or not is_direct(handle):
            raise
        make_cached(handle)
        return transfer(handle, data)


def as_storage_error(error: OSError, place: object) -> StorageError:
    """The error of our tree for ``error``, with the place where it happened."""
    reason = EXPLANATIONS.get(error.errno or 0) or error.strerror or str(error)
    kind = StorageRefused if error.errno in LASTING else StorageUnavailable
    return kind(f"{place}: {reason}")


def as_path_error(error: OSError, place: object, part: int) -> StorageError:
    """As ``as_storage_error``, for an error at the ``part``-th part of a final path."""
    if error.errno in IN_THE_WAY:
        return PathUnusable(f"{place}: {EXPLANATIONS.get(error.errno or 0) or error.strerror}", part)
    if error.errno in NO_SUCH_NAME:
        return PathUnusable(f"{place}: the file system takes no such name ({error.strerror})")
    return as_storage_error(error, place)


@contextmanager
def storage_errors(place: object) -> Iterator[None]:
    """Raise what the operating system reports within the block as a ``StorageError`` about ``place``."""
    try:
        yield
    except OSError as error:
        raise as_storage_error(error, place) from error


def copy_mtime_ns(source_mtime: datetime) -> int:
    """The mtime of a copy whose source has this one, in nanoseconds since 1970; impossible times become possible ones.

    What an instrument reports may be any time (a flat clock battery, a date of zero), and a copy must not fail for it.
    """
    return nanoseconds(min(max(source_mtime, FIRST_TIME), LAST_TIME))


def nanoseconds(time: datetime) -> int:
    """Nanoseconds since 1970."""
    return (time - EPOCH) // MICROSECOND * 1000


def time_of(mtime_ns: int) -> datetime:
    """The time of an mtime, in UTC; what no ``datetime`` can hold becomes the first or the last one."""
    try:
        return EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if mtime_ns > 0 else datetime.min.replace(tzinfo=UTC)


def set_mtime(handle: int, mtime: datetime | None) -> None:
    """Set the mtime of an open file, if there is one to be set, and if its file system allows that."""
    if mtime is None:
        return
    time = copy_mtime_ns(mtime)
    try:
        os.utime(handle, ns=(time, time))
    except OSError as error:
        if error.errno not in _NOT_TO_BE_SET:
            raise


def is_unmodified(mtime_ns: int, source_mtime: datetime, proven_at: datetime) -> bool:
    """Whether a copy with this mtime was not written to since its content was last proven, as far as times show.

    A copy carries the mtime of its source, so any other one shows that the copy was written to; rounded, as some file
    systems keep only even seconds. Copies that were archived before copies did so, or where times can't be set, have
    the time at which they were made. That was before their content was proven (by reading it back, or by a later
    re-reading): what was written before is part of that proof, and a later write shows a later time. Times that were
    set on purpose can hide a change from this; re-reading finds it.
    """
    if abs(mtime_ns - copy_mtime_ns(source_mtime)) < GRANULARITY_NS:
        return True
    return mtime_ns <= nanoseconds(proven_at + CLOCK_TOLERANCE)


# Errors of file systems without hard links (exFAT, many network and FUSE mounts), or one whose link count is used up.
NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
NO_EXCLUSIVE_RENAME = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
RENAME_NOREPLACE = 1  # renameat2(2)

_renaming = threading.Lock()


def move_without_replacing(name: str, folder: int, final_name: str, final_folder: int) -> None:
    """Move ``name`` in the folder handle ``folder`` to ``final_name`` in ``final_folder``, atomically.

    Raises ``FileExistsError`` when anything has that name (the file is then kept), or another ``OSError``. A move that
    a killed process left unfinished, so that both names belong to the same file, is finished.
    """
    try:
        os.link(name, final_name, src_dir_fd=folder, dst_dir_fd=final_folder, follow_symlinks=False)
    except FileExistsError:
        if not _same_file(name, folder, final_name, final_folder):
            raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        _rename_without_replacing(name, folder, final_name, final_folder)
        return
    os.unlink(name, dir_fd=folder)


def _same_file(name: str, folder: int, final_name: str, final_folder: int) -> bool:
    staged = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return os.path.samestat(staged, os.stat(final_name, dir_fd=final_folder, follow_symlinks=False))


def _rename_without_replacing(name: str, folder: int, final_name: str, final_folder: int) -> None:
    try:
        _renameat2(name, folder, final_name, final_folder)
    except OSError as error:
        if error.errno not in NO_EXCLUSIVE_RENAME:
            raise
        _check_and_rename(name, folder, final_name, final_folder)


def _renameat2(name: str, folder: int, final_name: str, final_folder: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if libc.renameat2(folder, os.fsencode(name), final_folder, os.fsencode(final_name), RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), final_name)


def _check_and_rename(name: str, folder: int, final_name: str, final_folder: int) -> None:
    """The last resort: exclusive among the threads of this process only."""
    with _renaming:
        try:
            os.stat(final_name, dir_fd=final_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, final_name, src_dir_fd=folder, dst_dir_fd=final_folder)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final_name)
