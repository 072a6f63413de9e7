"""Garbage: Python's search for cycles, while work makes objects by the ten thousand that hold none.

A claim, a row or an answer is gone as soon as nobody refers to it. Python goes looking for cycles among them all the
same, by default whenever 700 more are there than before, and that took a fifth of a harvest's processor time.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (50_000, 20, 100)
"""As ``gc.set_threshold`` takes them: what an error leaves behind, with its traceback, still goes before long."""

RARELY_IN_FULL = (700, 10, 100)
"""For whoever answers people: a search through everything holds up one answer, by 17 ms once all caches are filled.

By Python's default that was one answer in 200; now it is one in 2,000. What is young is searched as often as ever.
"""

_lock = threading.Lock()
_before: list[tuple[int, int, int]] = []  # the thresholds that each block under way found


@contextmanager
def reduced_gc() -> Iterator[None]:
    """Within the block this process seldom looks for cycles. Blocks may be nested, and overlap in several threads."""
    with _lock:
        _before.append(gc.get_threshold())
        gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        with _lock:
            found = _before.pop()
            if not _before:
                gc.set_threshold(*found)
