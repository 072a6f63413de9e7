"""Large files past the page cache: between memory and device without a copy that the system keeps.

A copy is written once and read back once, and the reading back must not come from the cache. So caching it would cost
the processor more than all the rest of a transfer, and push out of the memory what others use. Linux transfers whole
blocks directly, from and to memory that begins on a page; whatever can't be transferred like that (the end of a file,
a file system that doesn't know how) goes through the cache after all.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator

BLOCK_BYTES = 4 << 20
_DIRECT = getattr(os, "O_DIRECT", 0)


def is_direct(handle: int) -> bool:
    """Whether transfers pass the cache by."""
    return bool(_DIRECT and fcntl.fcntl(handle, fcntl.F_GETFL) & _DIRECT)


def make_direct(handle: int) -> None:
    """Let transfers pass the cache by from here on, if the file system can do that."""
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
        """Append ``data``."""
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
            written = self._write_some(data)
            self.written_bytes += written
            data = data[written:]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._handle, data)
        except OSError as error:
            _take_the_cache_instead(self._handle, error)
            return os.write(self._handle, data)


def direct_chunks(handle: int, offset: int, length: int | None) -> Iterator[memoryview]:
    """A file from ``offset`` on, ``length`` bytes or to its end, a block at a time, each in the place of the last.

    Raises ``OSError``.
    """
    make_direct(handle)
    os.lseek(handle, offset, os.SEEK_SET)
    block = memoryview(mmap.mmap(-1, BLOCK_BYTES))
    while length is None or length > 0:
        chunk = block[: _read_some(handle, block)][:length]
        if not chunk:
            return
        yield chunk
        length = None if length is None else length - len(chunk)


def _read_some(handle: int, block: memoryview) -> int:
    try:
        return os.readv(handle, [block])
    except OSError as error:
        _take_the_cache_instead(handle, error)
        return os.readv(handle, [block])


def _take_the_cache_instead(handle: int, error: OSError) -> None:
    """For a direct transfer that can't be because of its place or length; any other error is raised."""
    if error.errno != errno.EINVAL or not is_direct(handle):
        raise error
    make_cached(handle)
