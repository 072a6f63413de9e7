"""Bringing many files or folders to the device at once.

Many new files are brought there with all of their file system by one call (syncfs(2)), where that can be relied on. It
takes along what others wrote there, so a few files are not worth it. Elsewhere each is flushed for itself, and so are
folders. A file system commits whole transactions, and all who wait for a part of one wait together: a few threads that
flush side by side cost little more than the first of them.

syncfs names no file, but reports an error of any of them to every handle that was open when it occurred: since Linux
5.8, and since 5.17 the errors of the file system itself, too. So: one call for all, and fsync for each file only after
an error. An fsync of the handle follows: it fails if the file system has turned read-only, which syncfs does not
report, and it has the device empty its cache once more (without a journal, ext4 writes its own blocks after syncfs had
that done). That both return only when the device has everything is known of the file systems named here; on others
they may return when a server or a daemon has it.
"""

import ctypes
import os
import platform
import re
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TypeVar

MANY = 16
THREADS_AT_ONCE = 4
THREADS_IN_ALL = 12
RELIABLE = frozenset({b"ext4", b"xfs"})
SINCE = (5, 17)
MOUNTS = Path("/proc/self/mountinfo")  # proc(5)

Name = TypeVar("Name", bound=Hashable)


class Flushing:
    """Threads that flush, ``THREADS_AT_ONCE`` for each caller at most. They end with this object."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_IN_ALL, thread_name_prefix="flush")

    def flush_new(self, handles: Mapping[Name, int], folder: int) -> dict[Name, OSError]:
        """As ``flush``, for files in ``folder``, a handle that was opened before they were written."""
        return {} if len(handles) >= MANY and flush_file_system(folder) else self.flush(handles)

    def flush(self, handles: Mapping[Name, int]) -> dict[Name, OSError]:
        """Return when the files of these handles are on stable storage, with the errors of those that failed."""
        _begin_to_write(handles.values())
        named = list(handles.items())
        shares = [named[number::THREADS_AT_ONCE] for number in range(min(THREADS_AT_ONCE, len(named)))]
        if len(shares) <= 1:
            return dict(chain.from_iterable(map(_flush, shares)))
        return dict(chain.from_iterable(self._threads.map(_flush, shares)))


def _begin_to_write(handles: Iterable[int]) -> None:
    """Have all of it on its way before the first wait, so that one commit may hold it."""
    if hasattr(os, "posix_fadvise"):
        for handle in handles:  # Linux begins to write dirty pages that it is advised to drop, and waits for none
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def _flush(share: list[tuple[Name, int]]) -> list[tuple[Name, OSError]]:
    failed = []
    for name, handle in share:
        try:
            os.fsync(handle)
        except OSError as error:
            failed.append((name, error))
    return failed


def flush_file_system(handle: int) -> bool:
    """Bring everything that was written since ``handle`` was opened to the device of its file system.

    Returns whether that is certain. Otherwise each file has to be flushed for itself, which may yet succeed; not by
    this handle, though, which may have reported its error here already.
    """
    try:
        if not (_is_reliable(handle) and _syncfs(handle)):
            return False
        os.fsync(handle)
        return True
    except OSError:
        return False


def _is_reliable(handle: int) -> bool:
    return _linux() >= SINCE and _type_of(os.fstat(handle).st_dev) in RELIABLE


def _linux() -> tuple[int, int]:
    version = re.match(r"(\d+)\.(\d+)", platform.release()) if platform.system() == "Linux" else None
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _type_of(device: int) -> bytes | None:
    """The type of the file system with this device number; None if that is not known, as for btrfs."""
    number = b"%d:%d" % (os.major(device), os.minor(device))
    for line in MOUNTS.read_bytes().split(b"\n"):
        mount, _, file_system = line.partition(b" - ")
        if mount.split(b" ")[2:3] == [number]:
            return file_system.split(b" ")[0]
    return None


def _syncfs(handle: int) -> bool:
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    return syncfs is not None and syncfs(handle) == 0
