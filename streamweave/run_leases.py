"""Leases: a run of the orchestrator shows that it lives, from its first step to its last, by a heartbeat.

A run that has been silent for ``LEASE_SECONDS`` has lost its lease: its process was killed, or its machine or network
is gone. Whoever finds it so ends it on record. Beats are stamped and judged by the database's clock alone.

A run that lives on all the same does no harm: what it may write hangs on its claims (``harvest.claims``), not on this.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import RunLease
from streamweave.heartbeat import beating

BEAT_SECONDS = 5.0
LEASE_SECONDS = 30.0
"""So long a run may be silent: six beats, and longer than a database takes to restart."""
FORGOTTEN_AFTER = timedelta(days=1)


@contextmanager
def run_lease(sessions: Sessions, dagster_run_id: str) -> Iterator[None]:
    """Hold the lease of a run while the block runs."""

    def beat() -> None:
        with sessions.begin() as session:
            session.execute(
                update(RunLease).where(RunLease.dagster_run_id == dagster_run_id).values(heartbeat_at=func.now())
            )

    with sessions.begin() as session:
        _begin(session, [dagster_run_id])
    try:
        with beating(beat, every_seconds=BEAT_SECONDS, name=f"lease-{dagster_run_id}"):
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


def _begin(session: Session, run_ids: Collection[str]) -> None:
    if run_ids:
        begun = {"started_at": func.now(), "heartbeat_at": func.now()}
        rows = [{"dagster_run_id": run_id, **begun} for run_id in run_ids]
        session.execute(insert(RunLease).values(rows).on_conflict_do_nothing())


def _is_of(run_ids: Collection[str]) -> ColumnElement[bool]:
    return RunLease.dagster_run_id.in_(run_ids)


def _is_silent() -> ColumnElement[bool]:
    """While the database was down nobody could beat: silence counts from its start at the earliest."""
    since = func.greatest(RunLease.heartbeat_at, func.pg_postmaster_start_time())
    return since < func.now() - timedelta(seconds=LEASE_SECONDS)
