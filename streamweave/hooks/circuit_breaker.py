"""The circuit breaker: a hook that keeps timing out is skipped for the rest of a run, so that not all files wait."""

import uuid
from collections import Counter
from threading import Condition

from streamweave.errors import HookTimedOut

TIMEOUTS_IN_A_ROW = 3


class HookCircuitBreaker:
    """What one run has seen of each hook, by its id. Safe to share between threads.

    Once a hook has timed out, no call begins while others are under way, so a dead hook costs a run its timeout, and
    not twice that.
    """

    def __init__(self) -> None:
        self._timeouts: Counter[uuid.UUID] = Counter()
        self._under_way: Counter[uuid.UUID] = Counter()
        self._changed = Condition()

    def begin(self, hook_id: uuid.UUID) -> None:
        """Before each call, which is to ``end``. Raises ``HookTimedOut`` when the hook is left alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_known(hook_id) or not self._under_way[hook_id])
            if self._timeouts[hook_id] >= TIMEOUTS_IN_A_ROW:
                raise HookTimedOut(
                    f"not asked: {TIMEOUTS_IN_A_ROW} times in a row it gave no answer in time; this run leaves it alone"
                )
            self._under_way[hook_id] += 1

    def _is_known(self, hook_id: uuid.UUID) -> bool:
        return not 0 < self._timeouts[hook_id] < TIMEOUTS_IN_A_ROW

    def end(self, hook_id: uuid.UUID) -> None:
        """After each call that was begun, whatever came of it."""
        with self._changed:
            self._under_way[hook_id] -= 1
            self._changed.notify_all()

    def timed_out(self, hook_id: uuid.UUID) -> None:
        """It gave no answer in its time."""
        with self._changed:
            self._timeouts[hook_id] += 1

    def answered(self, hook_id: uuid.UUID) -> None:
        """It gave an answer, or failed at once."""
        with self._changed:
            if self._timeouts[hook_id] < TIMEOUTS_IN_A_ROW:
                self._timeouts[hook_id] = 0
