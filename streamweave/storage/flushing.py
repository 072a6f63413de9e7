"""Bringing many files or folders to the device at once.

Many new files are brought there with all of their file system, where that works (``syncfs``). It takes along what
others wrote there, so a few are not worth it. Elsewhere each is flushed for itself, and so are folders. A file system
commits whole transactions, and all who wait for a part of one wait together: a few threads that flush side by side cost
little more than the first of them, where one after the other would each wait for a commit of its own.
"""

import os
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

from streamweave.storage.syncfs import flush_file_system

MANY = 16
THREADS_AT_ONCE = 4
THREADS_IN_ALL = 12

Name = TypeVar("Name", bound=Hashable)


class Flushing:
    """Threads that flush for whoever asks, each caller ``THREADS_AT_ONCE`` at most. They end when this is let go of."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS_IN_ALL, thread_name_prefix="flush")

    def flush_new(self, handles: Mapping[Name, int], folder: int) -> dict[Name, OSError]:
        """As ``flush``, for files in ``folder``, which is open since before anything was written to them."""
        return {} if len(handles) >= MANY and flush_file_system(folder) else self.flush(handles)

    def flush(self, handles: Mapping[Name, int]) -> dict[Name, OSError]:
        """Return when what these handles are open for is on stable storage, with the errors of those that failed."""
        _begin_to_write(handles.values())
        named = list(handles.items())
        shares = [named[number::THREADS_AT_ONCE] for number in range(min(THREADS_AT_ONCE, len(named)))]
        if len(shares) <= 1:
            return dict(chain.from_iterable(map(_flush, shares)))
        return dict(chain.from_iterable(self._threads.map(_flush, shares)))


def _begin_to_write(handles: Iterable[int]) -> None:
    """Have all of it on its way before anybody waits, so that one commit may hold it."""
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
