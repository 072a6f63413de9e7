"""The database's clock: the one that every process on every machine shares."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from streamweave.catalog.session import Sessions

ASKED_EVERY_SECONDS = 1.0


class DatabaseClock:
    """Gives the database's time, in UTC, whatever the clock of this process's machine shows.

    The database is asked once a second at most; in between, the seconds of this process's monotonic clock are counted
    on. Each answer bounds the difference between the two clocks from below and above (by when the question began and
    when the answer was here), and the estimate only ever moves into these bounds. So the time given is wrong by no more
    than the shortest question took, and doesn't go back unless the database's does. May be shared between threads.
    """

    def __init__(self, sessions: Sessions, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sessions = sessions
        self._monotonic = monotonic
        self._asked_at: float | None = None
        self._origin: datetime | None = None  # the database's time when the monotonic clock showed 0

    def __call__(self) -> datetime:
        """Now. Raises SQLAlchemy's error when the database has never answered yet."""
        origin = self._origin
        if origin is None or self._asked_at is None or self._monotonic() - self._asked_at > ASKED_EVERY_SECONDS:
            origin = self._asked(origin)
        return origin + timedelta(seconds=self._monotonic())

    def _asked(self, origin: datetime | None) -> datetime:
        before = self._monotonic()
        try:
            with self._sessions() as session:
                time = session.scalars(select(func.clock_timestamp())).one()
        except SQLAlchemyError:
            # a database that restarts must not end a copy that needs nothing else of it just now
            if origin is None:
                raise
            return origin
        after = self._monotonic()
        earliest, latest = time - timedelta(seconds=after), time - timedelta(seconds=before)
        self._origin = earliest if origin is None else min(max(origin, earliest), latest)
        self._asked_at = after
        return self._origin
