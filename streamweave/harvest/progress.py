"""Reports and progress: what a harvest did, day by day; how far a run's transfers are, and how long they will take.

Reports have complete counts, and the first files of each day by name. Progress is on our monotonic clock.
"""

import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, HarvestRun, Instrument, Transfer, VersionState
from streamweave.catalog.tables.files import in_state
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.claims import is_due

NAMED_FILES_PER_DAY = 1_000
"""More files are counted but not named: a report has to fit into a page and into memory."""
WINDOW_SECONDS = 30.0
"""Rates are means over the last so many seconds at most."""
FILE_COSTS_BYTES = 64 << 10
"""Opening and cataloguing a file takes about as long as reading so many bytes more."""
REPORT_SECONDS = 1.0
NEEDS_ATTENTION = (VersionState.OVERDUE, VersionState.FAILED, VersionState.UNREADABLE, VersionState.VANISHED)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file. ``destination`` is where its bytes are now, if they were archived."""

    source_path: str
    day: date
    state: VersionState
    size_bytes: int
    reason: str = ""
    destination: str = ""


@dataclass(slots=True)
class DayReport:
    """One acquisition day. ``bytes`` counts what was archived."""

    counts: Counter[VersionState] = field(default_factory=Counter)
    bytes: int = 0
    files: list[FileOutcome] = field(default_factory=list)

    def add(self, outcome: FileOutcome) -> None:
        """Count a file, and name it while there is room."""
        self.counts[outcome.state] += 1
        if outcome.state == VersionState.ARCHIVED:
            self.bytes += outcome.size_bytes
        if len(self.files) < NAMED_FILES_PER_DAY:
            self.files.append(outcome)


@dataclass(slots=True)
class HarvestReport:
    """What a harvest did. ``seconds`` is how long its transfers took."""

    days: dict[date, DayReport] = field(default_factory=dict)
    seconds: float = 0.0
    troubles: list[StreamWeaveError] = field(default_factory=list)
    """What stopped the harvest as a whole, or kept it from a storage location."""
    pause: str = ""
    """Why the harvest ended before everything was done though nothing is wrong, and when it resumes."""

    def add(self, outcome: FileOutcome) -> None:
        self.days.setdefault(outcome.day, DayReport()).add(outcome)

    def include(self, other: "HarvestReport") -> None:
        """Add what a further step of the same harvest did."""
        self.seconds += other.seconds
        self.troubles += other.troubles
        self.pause = self.pause or other.pause
        for day, report in other.days.items():
            mine = self.days.setdefault(day, DayReport())
            mine.counts += report.counts
            mine.bytes += report.bytes
            mine.files += report.files[: NAMED_FILES_PER_DAY - len(mine.files)]

    @property
    def counts(self) -> Counter[VersionState]:
        """Files by what became of them, over all days."""
        return sum((report.counts for report in self.days.values()), Counter())

    @property
    def bytes(self) -> int:
        """What was archived, over all days."""
        return sum(report.bytes for report in self.days.values())

    def sentence(self) -> str:
        if not self.days:
            return "nothing to do"
        return ", ".join(f"{number} {state}" for state, number in sorted(self.counts.items()))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the transfers of a run are. ``files`` are done, archived or not; the totals hold what is due by now.

    ``bytes`` counts those of done files and what has been read of large ones. ``seconds_left`` is None while it is not
    known.
    """

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    files_per_second: float
    bytes_per_second: float
    seconds_left: float | None

    def as_row(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self) -> str:
        left = "" if self.seconds_left is None else f", {_duration(self.seconds_left)} left"
        return (
            f"{self.files:,} of {self.files_total:,} files, {_size(self.bytes)} of {_size(self.bytes_total)}, "
            f"{self.files_per_second:,.0f} files/s, {_size(self.bytes_per_second)}/s{left}"
        )


ProgressListener = Callable[[Progress], None]


class _Sample(NamedTuple):
    at: float
    files: int
    bytes: int


class Meter:
    """Counts what is done. Safe to share between threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._files_total = 0
        self._bytes_total = 0
        self._files = 0
        self._bytes = 0
        self._under_way: dict[object, int] = {}
        self._samples = deque([_Sample(now(), 0, 0)])
        self._lock = threading.Lock()

    def expect(self, files: int, size_bytes: int) -> None:
        """So much is due besides what is done."""
        with self._lock:
            self._files_total = self._files + files
            self._bytes_total = self._bytes + size_bytes

    def read(self, file: object, number_of_bytes: int) -> None:
        """So many bytes more have been read of a file that takes a while."""
        with self._lock:
            self._under_way[file] = self._under_way.get(file, 0) + number_of_bytes

    def done(self, file: object, size_bytes: int) -> None:
        """A file is done, archived or not."""
        with self._lock:
            self._under_way.pop(file, None)
            self._files += 1
            self._bytes += size_bytes

    def progress(self) -> Progress:
        with self._lock:
            files, size = self._files, self._bytes + sum(self._under_way.values())
            files_total, bytes_total = max(self._files_total, files), max(self._bytes_total, size)
            now = _Sample(self._now(), files, size)
            while len(self._samples) > 1 and now.at - self._samples[1].at >= WINDOW_SECONDS:
                self._samples.popleft()
            before = self._samples[0]
            self._samples.append(now)
        seconds = max(now.at - before.at, 1e-9)
        return Progress(
            files=files,
            files_total=files_total,
            bytes=size,
            bytes_total=bytes_total,
            files_per_second=round((now.files - before.files) / seconds, 2),
            bytes_per_second=round((now.bytes - before.bytes) / seconds, 2),
            seconds_left=_seconds_left(files_total - files, bytes_total - size, before, now, seconds),
        )


def _seconds_left(files: int, size: int, before: _Sample, now: _Sample, seconds: float) -> float | None:
    work_done = (now.files - before.files) * FILE_COSTS_BYTES + now.bytes - before.bytes
    work_left = files * FILE_COSTS_BYTES + size
    if not work_left:
        return 0.0
    return round(work_left * seconds / work_done, 1) if work_done > 0 else None


def _size(number_of_bytes: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number_of_bytes < 1024:
            return f"{number_of_bytes:,.0f} {unit}" if unit == "bytes" else f"{number_of_bytes:.1f} {unit}"
        number_of_bytes /= 1024
    return f"{number_of_bytes:,.1f} TiB"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


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
    """How far the transfers of a Dagster run are; None before they have begun."""
    row = session.scalar(
        select(HarvestRun.progress)
        .where(HarvestRun.dagster_run_id == dagster_run_id, HarvestRun.progress.is_not(None))
        .order_by(HarvestRun.started_at.desc())
        .limit(1)
    )
    return None if row is None else Progress(**row)


class Interval:
    """Whether a time in seconds has passed since it was made, or restarted."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() - self._started >= self._seconds

    def restart(self) -> None:
        self._started = time.monotonic()


@dataclass
class ProgressReports:
    """Reports a run's progress, at most once a second: to a listener, and in the run's row."""

    facility: Facility
    run_id: uuid.UUID
    meter: Meter
    on_progress: ProgressListener
    _interval: Interval = field(default_factory=lambda: Interval(REPORT_SECONDS))

    def report_if_due(self) -> None:
        if self._interval.is_over:
            self.report_now()

    def report_now(self) -> None:
        self._interval.restart()
        progress = self.meter.progress()
        with self.facility.sessions.begin() as session:
            session.execute(update(HarvestRun).where(HarvestRun.id == self.run_id).values(progress=progress.as_row()))
        self.on_progress(progress)


def versions_by_state(session: Session, instrument: Instrument) -> dict[VersionState, int]:
    """How many of the instrument's files are in which state (by their newest version)."""
    rows = session.execute(
        select(FileVersion.state, func.count())
        .where(FileVersion.instrument_id == instrument.id, FileVersion.is_newest)
        .group_by(FileVersion.state)
    )
    return {VersionState(state): number for state, number in rows}


@dataclass(frozen=True, slots=True)
class Straggler:
    """A file that needs attention. ``since`` is UTC."""

    source_path: str
    state: VersionState
    reason: str
    since: datetime


def stragglers(session: Session, instrument: Instrument, limit: int = 100) -> Sequence[Straggler]:
    """The files that need attention, those that have waited longest first."""
    rows = session.execute(
        select(FileRecord.source_path, FileVersion.state, FileVersion.reason, FileVersion.state_since)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(FileVersion.instrument_id == instrument.id, FileVersion.is_newest, in_state(*NEEDS_ATTENTION))
        .order_by(FileVersion.state_since)
        .limit(limit)
    )
    return [Straggler(path, VersionState(state), reason, since) for path, state, reason, since in rows]
