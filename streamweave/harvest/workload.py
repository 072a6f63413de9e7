"""The workload: how much is due to be transferred, and how far the run that does it has come."""

import time
import uuid
from collections.abc import Callable, Collection
from datetime import date

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileVersion, HarvestRun, Instrument, Transfer
from streamweave.facility import Facility
from streamweave.harvest.claims import is_due
from streamweave.harvest.progress import Meter, Progress

REPORT_SECONDS = 1.0

ProgressListener = Callable[[Progress], None]


def due_work(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> tuple[int, int]:
    """How many transfers are due, and how many bytes they come to."""
    with facility.sessions() as session:
        files, size_bytes = session.execute(
            select(func.count(), func.coalesce(func.sum(FileVersion.size_bytes), 0))
            .select_from(Transfer)
            .join(FileVersion, FileVersion.id == Transfer.version_id)
            .where(is_due(instrument.id, facility.now(), days))
        ).one()
    return files, int(size_bytes)


def progress_of(session: Session, dagster_run_id: str) -> Progress | None:
    """How far a run of Dagster's has come with its transfers; None while it has not begun with them."""
    row = session.scalar(
        select(HarvestRun.progress)
        .where(HarvestRun.dagster_run_id == dagster_run_id, HarvestRun.progress.is_not(None))
        .order_by(HarvestRun.started_at.desc())
        .limit(1)
    )
    return None if row is None else Progress(**row)


class ProgressReports:
    """Tells of a run's progress, at most once a second: to a listener, and in the run's row."""

    def __init__(self, facility: Facility, run_id: uuid.UUID, meter: Meter, on_progress: ProgressListener) -> None:
        self._facility = facility
        self._run_id = run_id
        self._meter = meter
        self._on_progress = on_progress
        self._told_at = time.monotonic()

    def tell(self) -> None:
        """Tell if it is time to."""
        if time.monotonic() - self._told_at >= REPORT_SECONDS:
            self.tell_now()

    def tell_now(self) -> None:
        """Tell, whether or not it is time to."""
        self._told_at = time.monotonic()
        progress = self._meter.progress()
        with self._facility.sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == self._run_id).values(progress=progress.as_row()))
        self._on_progress(progress)
