"""Bytes that look like measurements: the same on every run, hard to compress, no two blocks alike."""

import functools
import random
from collections.abc import Iterator

BLOCK_BYTES = 1024 * 1024
COUNTER_BYTES = 8


def content_of(size: int, *, first_block: int = 0) -> Iterator[bytes]:
    """Yield `size` bytes in blocks of 1 MiB (the last may be shorter), the first of which has the number given."""
    for number, start in enumerate(range(0, size, BLOCK_BYTES), first_block):
        block = number.to_bytes(COUNTER_BYTES, "little") + _noise()
        yield block[: size - start]


@functools.cache
def _noise() -> bytes:
    return random.Random(0).randbytes(BLOCK_BYTES - COUNTER_BYTES)
