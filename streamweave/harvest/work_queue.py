"""The work queue: claims that wait for a reader, the small files apart from the large ones."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from streamweave.harvest.claims import Claim
from streamweave.sources.base import WHOLE_FILE_BYTES


def is_large(claim: Claim) -> bool:
    """Whether a file is opened and read in pieces, rather than in one go with many others."""
    return claim.size_bytes > WHOLE_FILE_BYTES or claim.is_unfinished


class WorkQueue:
    """Safe to share between threads. It closes when ``may_begin`` returns False to a reader that wants a file."""

    def __init__(self, may_begin: Callable[[], bool] = lambda: True) -> None:
        self._may_begin = may_begin
        self._small: deque[Claim] = deque()
        self._large: deque[Claim] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, claims: Iterable[Claim]) -> None:
        """Append claims, in the order given."""
        with self._changed:
            for claim in claims:
                (self._large if is_large(claim) else self._small).append(claim)
            self._changed.notify_all()

    def next_small(self, *, after_large: bool = False) -> Claim | None:
        """Take a small file, if one waits; with ``after_large`` only if no large one does."""
        with self._changed:
            return None if after_large and self._large else self._next(self._small)

    def next_large(self) -> Claim | None:
        """Take a large file, if one waits."""
        with self._changed:
            return self._next(self._large)

    def _next(self, waiting: deque[Claim]) -> Claim | None:
        if not waiting or self._closed:
            return None
        if not self._may_begin():
            self.close()
            return None
        return waiting.popleft()

    def wait(self, *, small: bool, large: bool) -> bool:
        """Return True when a file waits of a kind that may be taken, False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (small and self._small) or (large and self._large))
            return not self._closed

    def waiting(self) -> tuple[int, int]:
        """How many small and how many large files wait."""
        with self._changed:
            return len(self._small), len(self._large)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    def close(self, unread: Iterable[Claim] = ()) -> None:
        """From now on nothing is taken. What waits can be withdrawn, and so can ``unread``: taken but not read."""
        with self._changed:
            self._small.extend(unread)
            self._closed = True
            self._changed.notify_all()

    def withdraw(self, whether: Callable[[Claim], bool] = lambda claim: True) -> list[Claim]:
        """Remove and return the claims that no reader has begun and that ``whether`` is true of."""
        with self._changed:
            waiting = [*self._small, *self._large]
            self._small = deque(claim for claim in self._small if not whether(claim))
            self._large = deque(claim for claim in self._large if not whether(claim))
            return [claim for claim in waiting if whether(claim)]
