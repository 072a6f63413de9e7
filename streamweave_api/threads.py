"""Threads apart from the 40 that answer requests: what may take long never keeps other answers waiting."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from streamweave.access.passwords import AT_ONCE, RETRY_AFTER_SECONDS
from streamweave.errors import TooBusy

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """So many threads for one purpose, which are those of whichever event loop runs. At most ``waiting`` calls wait."""

    def __init__(self, purpose: str, number: int, waiting: float = float("inf")) -> None:
        self._number, self._most = number, number + waiting
        self._calls = 0  # that run or wait, in whatever loop
        self._limiter: RunVar[CapacityLimiter] = RunVar(purpose)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``call`` returns, once a thread was free for it. Not left alone when cancelled. Raises ``TooBusy``."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._number)
            self._limiter.set(limiter)
        if self._calls >= self._most:
            raise TooBusy(RETRY_AFTER_SECONDS)
        self._calls += 1
        try:
            return await to_thread.run_sync(lambda: call(*args, **kwargs), limiter=limiter)
        finally:
            self._calls -= 1


PLACES, WAITING = AT_ONCE, 24
apart_for_passwords = Threads("passwords", PLACES, WAITING).run
"""For whatever takes a password, counts attempts or is open to strangers: a flood of these holds up nothing else.

As many as hash side by side. The last in the queue waits for about two seconds.
"""
