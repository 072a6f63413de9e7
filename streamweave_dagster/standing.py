"""Where an instrument's files of some acquisition days stand, whichever run brought them there."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.harvest.backlog import NEEDS_ATTENTION
from streamweave.harvest.report import FileOutcome

WAITING = (VersionState.SETTLING, VersionState.SETTLED, VersionState.PENDING)
NAMED_FILES = 1_000


@dataclass(slots=True)
class DayStanding:
    """One day: complete counts, and by name (while there is room) the files that wait or need a person."""

    counts: Counter[VersionState] = field(default_factory=Counter)
    unfinished: list[FileOutcome] = field(default_factory=list)

    def number(self, *states: VersionState) -> int:
        """How many files are in one of these states."""
        return sum(self.counts[state] for state in states)


def standing_of(session: Session, instrument: Instrument, days: Collection[date]) -> dict[date, DayStanding]:
    """Where the files of these days stand, by their newest versions; every day has an entry."""
    standing = {day: DayStanding() for day in days}
    newest = and_(
        FileVersion.instrument_id == instrument.id,
        FileVersion.is_newest,
        FileVersion.acquisition_day.in_(standing),
    )
    for day, state, number in session.execute(_counts().where(newest)):
        standing[day].counts[VersionState(state)] = number
    for path, day, state, size_bytes, reason in session.execute(_unfinished().where(newest)):
        standing[day].unfinished.append(FileOutcome(path, day, VersionState(state), size_bytes, reason))
    return standing


def _counts() -> Select[tuple[date, str, int]]:
    columns = (FileVersion.acquisition_day, FileVersion.state)
    return select(*columns, func.count()).group_by(*columns)


def _unfinished() -> Select[tuple[str, date, str, int, str]]:
    return (
        select(
            FileRecord.source_path,
            FileVersion.acquisition_day,
            FileVersion.state,
            FileVersion.size_bytes,
            FileVersion.reason,
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(FileVersion.state.in_((*WAITING, *NEEDS_ATTENTION)))
        .order_by(FileVersion.acquisition_day, FileRecord.source_path)
        .limit(NAMED_FILES)
    )
