"""The circuit: a hook that doesn't answer in time is left alone for the rest of a run, lest all files wait for it."""

import uuid
from collections import Counter
from threading import Lock

from streamweave.errors import HookTimedOut

TIMEOUTS_IN_A_ROW = 3


class Circuit:
    """What one run has seen of each hook, by its id. Safe to share between threads."""

    def __init__(self) -> None:
        self._timeouts: Counter[uuid.UUID] = Counter()
        self._lock = Lock()

    def check(self, hook_id: uuid.UUID) -> None:
        """Raises ``HookTimedOut`` when the hook is left alone."""
        if self._timeouts[hook_id] >= TIMEOUTS_IN_A_ROW:
            raise HookTimedOut(
                f"not asked: {TIMEOUTS_IN_A_ROW} times in a row it gave no answer in time; this run leaves it alone"
            )

    def timed_out(self, hook_id: uuid.UUID) -> None:
        """It gave no answer in its time."""
        with self._lock:
            self._timeouts[hook_id] += 1

    def answered(self, hook_id: uuid.UUID) -> None:
        """It gave an answer, or failed at once."""
        with self._lock:
            if self._timeouts[hook_id] < TIMEOUTS_IN_A_ROW:
                self._timeouts[hook_id] = 0
