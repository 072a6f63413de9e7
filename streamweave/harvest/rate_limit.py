"""Rate limits: an instrument's control PC must never suffer from being harvested."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from streamweave.catalog.tables import Instrument
from streamweave.instruments.acquisition import Span, opens_at, span

DEFAULT_CONNECTIONS = 4
BURST_SECONDS = 1.0
"""The rate that was not used during so many seconds may be used later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard an instrument may be worked on, from its ``transfer_config``.

    ``bytes_per_second`` holds for all connections of a run together; None sets no limit.
    """

    connections: int
    bytes_per_second: float | None
    hours: tuple[Span, ...]
    timezone: str

    def opens_at(self, now: datetime) -> datetime | None:
        """When copying may resume, in the instrument's local time; None when it may be done now."""
        return opens_at(self.hours, self.timezone, now)


def limits_of(instrument: Instrument) -> Limits:
    """The instrument's limits, as ``streamweave.instruments.fields`` has validated them."""
    config = instrument.transfer_config or {}
    return Limits(
        connections=int(config.get("connections", DEFAULT_CONNECTIONS)),
        bytes_per_second=config.get("bytes_per_second"),
        hours=tuple(map(span, config.get("hours") or ())),
        timezone=instrument.timezone,
    )


def closed_until(opening: datetime) -> str:
    return f"outside the instrument's hours: nothing more is copied before {opening:%Y-%m-%d %H:%M %Z}"


class Pace:
    """A token bucket that all readers of a run share: a reader that takes bytes waits until they are due.

    It may be overdrawn, so that a file larger than the bucket passes; the next reader waits. ``wait`` takes seconds.
    """

    def __init__(
        self,
        bytes_per_second: float | None,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._now = now
        self._wait = wait
        self._paid_until = now()
        self._lock = threading.Lock()

    def take(self, number_of_bytes: int) -> None:
        """Return when the bytes taken before these are paid for."""
        if self._rate is None:
            return
        with self._lock:
            now = self._now()
            due = max(self._paid_until, now - BURST_SECONDS)
            self._paid_until = due + number_of_bytes / self._rate
        if due > now:
            self._wait(due - now)
