"""Harvest runs: a process that holds claims shows by a heartbeat that it lives. When it dies, its claims are free.

Beats are stamped and judged by the database's clock alone, so that no two clocks need to agree.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, func, or_, update

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import HarvestRun
from streamweave.heartbeat import beating

BEAT_SECONDS = 3.0
LEASE_SECONDS = 15.0
"""A run that has not beaten for this long is taken for dead."""


def is_dead() -> ColumnElement[bool]:
    """Over ``HarvestRun``: the run has ended, or its heart has stopped."""
    silence = func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
    return or_(HarvestRun.finished_at.is_not(None), HarvestRun.heartbeat_at < func.now() - silence)


@contextmanager
def harvest_run(sessions: Sessions, instrument_id: uuid.UUID, dagster_run_id: str | None = None) -> Iterator[uuid.UUID]:
    """A run that beats until the block ends; yields its id, which claims carry."""
    run_id = uuid.uuid4()
    with sessions.begin() as session:
        session.add(
            HarvestRun(
                id=run_id,
                instrument_id=instrument_id,
                dagster_run_id=dagster_run_id,
                started_at=func.now(),
                heartbeat_at=func.now(),
            )
        )

    def beat() -> None:
        with sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == run_id).values(heartbeat_at=func.now()))

    try:
        with beating(beat, every_seconds=BEAT_SECONDS, name=f"heart-{run_id}"):
            yield run_id
    finally:
        with sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == run_id).values(finished_at=func.now()))
