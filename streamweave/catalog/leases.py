"""Leases and heartbeats: how a process shows, in the catalog, that it is alive.

A run of the orchestrator holds a lease from its first step to its last. After ``RUN_LEASE_SECONDS`` without a beat the
lease is lost: the process was killed, or its machine or network is down. The next process that checks ends the run on
record. A run that is alive all the same does no harm: what it may write depends on its claims (``harvest.claims``).

A harvest run holds claims on transfers in the same way. When it crashes, its claims are free.

Beats are stamped and judged by the database's clock alone, so that the clocks of machines need not agree.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Update, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import HarvestRun, RunLease

RUN_BEAT_SECONDS = 5.0
RUN_LEASE_SECONDS = 30.0
"""So long a run may be silent: six beats, and longer than a database takes to restart."""
FORGOTTEN_AFTER = timedelta(days=1)
BEAT_SECONDS = 3.0
LEASE_SECONDS = 15.0
"""A run that has not beaten for this long is taken for dead."""
ASKED_EVERY_SECONDS = 1.0


@contextmanager
def beating(beat: Callable[[], object], *, every_seconds: float, name: str) -> Iterator[None]:
    """Call ``beat`` every so many seconds, in a thread called ``name``, until the block ends.

    A beat that fails with a database error is dropped: a restart of the database must not end the process, and the next
    beat tries again.
    """
    ended = threading.Event()

    def beat_until_ended() -> None:
        while not ended.wait(every_seconds):
            try:
                beat()
            except SQLAlchemyError:
                continue

    thread = threading.Thread(target=beat_until_ended, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def run_lease(sessions: Sessions, dagster_run_id: str) -> Iterator[None]:
    """Hold the lease of a run while the block runs."""

    beat = update(RunLease).where(RunLease.dagster_run_id == dagster_run_id).values(heartbeat_at=func.now())
    with sessions.begin() as session:
        _begin(session, [dagster_run_id])
    try:
        with beating(partial(_execute, sessions, beat), every_seconds=RUN_BEAT_SECONDS, name=f"lease-{dagster_run_id}"):
            yield
    finally:
        with sessions.begin() as session:
            session.execute(delete(RunLease).where(RunLease.dagster_run_id == dagster_run_id))


def take_lost_leases(session: Session, running: Collection[str]) -> Mapping[str, datetime]:
    """Of the runs ``running``, which are in progress on record, those that have lost their lease; when each last beat.

    Each is given to one caller only. A run without a lease is given one, as if it had beaten just now: it may be about
    to begin its first step. If it is not, it will be found silent. Leases of runs that ended otherwise are dropped.
    """
    _begin(session, running)
    session.execute(delete(RunLease).where(RunLease.heartbeat_at < func.now() - FORGOTTEN_AFTER, ~_is_of(running)))
    lost = delete(RunLease).where(_is_of(running), _is_silent())
    return dict(session.execute(lost.returning(RunLease.dagster_run_id, RunLease.heartbeat_at)).tuples().all())


def _execute(sessions: Sessions, statement: Update) -> None:
    with sessions.begin() as session:
        session.execute(statement)


def _begin(session: Session, run_ids: Collection[str]) -> None:
    if run_ids:
        begun = {"started_at": func.now(), "heartbeat_at": func.now()}
        rows = [{"dagster_run_id": run_id, **begun} for run_id in run_ids]
        session.execute(insert(RunLease).values(rows).on_conflict_do_nothing())


def _is_of(run_ids: Collection[str]) -> ColumnElement[bool]:
    return RunLease.dagster_run_id.in_(run_ids)


def _is_silent() -> ColumnElement[bool]:
    """Whether it has missed its beats; none could be made while the database was down."""
    since = func.greatest(RunLease.heartbeat_at, func.pg_postmaster_start_time())
    return since < func.now() - timedelta(seconds=RUN_LEASE_SECONDS)


def is_dead() -> ColumnElement[bool]:
    """Over ``HarvestRun``: the run has ended, or makes no beats any more."""
    silence = func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
    return or_(HarvestRun.finished_at.is_not(None), HarvestRun.heartbeat_at < func.now() - silence)


@contextmanager
def harvest_run(sessions: Sessions, instrument_id: uuid.UUID, dagster_run_id: str | None = None) -> Iterator[uuid.UUID]:
    """A run that beats until the block ends; yields its id, which claims carry."""
    run_id, now = uuid.uuid4(), func.now()
    run = {"id": run_id, "instrument_id": instrument_id, "dagster_run_id": dagster_run_id}
    with sessions.begin() as session:
        session.add(HarvestRun(**run, started_at=now, heartbeat_at=now))

    beat = update(HarvestRun).where(HarvestRun.id == run_id).values(heartbeat_at=func.now())
    try:
        with beating(partial(_execute, sessions, beat), every_seconds=BEAT_SECONDS, name=f"heart-{run_id}"):
            yield run_id
    finally:
        with sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == run_id).values(finished_at=func.now()))


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
