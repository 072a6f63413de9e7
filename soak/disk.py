"""A disk that breaks: what the operating system answers below one folder, in this process alone.

The calls of ``os`` through which a storage location is written and read are wrapped, in the process of the harvest.
That is as deep as Python can be asked, needs neither a compiler nor root (an ``LD_PRELOAD`` shim and a device-mapper
target do), breaks at an exact byte, and behaves the same wherever the soak runs. Where root may mount, a full and a
read-only disk are made by the kernel itself as well (``soak.experiments.disks``).
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

from soak.orders import BrokenDisk

WRITING = ("write", "fsync", "fdatasync", "link", "mkdir", "rename", "unlink")
READING = ("read", "readv")
MAKES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def break_disk(disk: BrokenDisk) -> None:
    """From here on, this process finds that disk broken."""
    breaking = _Breaking(disk)
    names = [*WRITING, *(READING if disk.error == "EIO" else ()), "open"]
    for name in names:
        setattr(os, name, breaking.wrap(name, getattr(os, name)))


class _Breaking:
    def __init__(self, disk: BrokenDisk) -> None:
        self._folder = os.path.realpath(disk.folder)
        self._number = getattr(errno, disk.error)
        self._left = disk.after_bytes
        self._guard = threading.Lock()

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, which fails as the disk does."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            if self._concerns(name, arguments, named):
                self._spend(len(arguments[1]) if name == "write" else 0)
            return call(*arguments, **named)

        return wrapped

    def _concerns(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
        if name == "open" and not arguments[1] & MAKES:
            return False
        if name == "unlink" and self._number == errno.ENOSPC:
            return False  # a full disk lets files be removed
        return any(self._is_below(place) for place in (*arguments[:1], *named.values()))

    def _is_below(self, place: Any) -> bool:
        """Whether a path, or what a handle is open for, lies in the folder."""
        if isinstance(place, int):
            try:
                place = os.readlink(f"/proc/self/fd/{place}")
            except OSError:
                return False
        return isinstance(place, str | os.PathLike) and os.fspath(place).startswith(self._folder)

    def _spend(self, number_of_bytes: int) -> None:
        with self._guard:
            if self._left <= 0 or number_of_bytes > self._left:
                self._left = 0
                raise OSError(self._number, os.strerror(self._number))
            self._left -= number_of_bytes
