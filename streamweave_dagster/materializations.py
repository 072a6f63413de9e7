"""What a materialization reports: the harvest of one acquisition day, in numbers and file by file."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.files import in_state
from streamweave.harvest.progress import NEEDS_ATTENTION, DayReport, FileOutcome, HarvestReport
from streamweave.printable import printable

WAITING = (VersionState.SETTLING, VersionState.SETTLED, VersionState.PENDING)
NAMED_FILES = 1_000


@dataclass(slots=True)
class DayState:
    """One day: complete counts, and by name (while there is room) the files that wait or need a person."""

    counts: Counter[VersionState] = field(default_factory=Counter)
    unfinished: list[FileOutcome] = field(default_factory=list)

    def number(self, *states: VersionState) -> int:
        """How many files are in one of these states."""
        return sum(self.counts[state] for state in states)


def day_states(session: Session, instrument: Instrument, days: Collection[date]) -> dict[date, DayState]:
    """Where the files of these days stand, by their newest versions; every day has an entry."""
    states = {day: DayState() for day in days}
    newest = and_(
        FileVersion.instrument_id == instrument.id, FileVersion.is_newest, FileVersion.acquisition_day.in_(states)
    )
    for day, state, number in session.execute(_counts().where(newest)):
        states[day].counts[VersionState(state)] = number
    for path, day, state, size_bytes, reason in session.execute(_unfinished().where(newest)):
        states[day].unfinished.append(FileOutcome(path, day, VersionState(state), size_bytes, reason))
    return states


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
        .where(in_state(*WAITING, *NEEDS_ATTENTION))
        .order_by(FileVersion.acquisition_day, FileRecord.source_path)
        .limit(NAMED_FILES)
    )


ROWS = 1_000
"""More would not fit into an event that people open in a browser."""
COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("path"),
        dg.TableColumn("state"),
        dg.TableColumn("bytes", "int"),
        dg.TableColumn("reason"),
        dg.TableColumn("destination"),
    ]
)


def day_metadata(report: HarvestReport, day: date, state: DayState) -> dict[str, dg.MetadataValue]:
    """``files`` and ``bytes`` are what this harvest archived of the day; its pace is that over all days.

    ``skipped``, ``waiting`` and ``failed`` count how the day's files stand now, whichever harvest brought them there.
    """
    done = report.days.get(day, DayReport())
    return {
        "files": dg.MetadataValue.int(done.counts[VersionState.ARCHIVED]),
        "bytes": dg.MetadataValue.int(done.bytes),
        **pace_metadata(report),
        "skipped": dg.MetadataValue.int(state.number(VersionState.SKIPPED)),
        "waiting": dg.MetadataValue.int(state.number(*WAITING)),
        "failed": dg.MetadataValue.int(state.number(*NEEDS_ATTENTION)),
        "table": _table(done, state),
    }


def pace_metadata(report: HarvestReport) -> dict[str, dg.MetadataValue]:
    """How fast a harvest's transfers were: ``files_per_second`` and ``bytes_per_second``, from claims to catalog."""
    seconds = report.seconds or float("inf")
    return {
        "files_per_second": dg.MetadataValue.float(round(report.counts[VersionState.ARCHIVED] / seconds, 2)),
        "bytes_per_second": dg.MetadataValue.float(round(report.bytes / seconds, 2)),
    }


def _table(done: DayReport, state: DayState) -> dg.MetadataValue:
    """The files of this harvest, then those that it did not touch though they wait or need a person."""
    touched = {outcome.source_path for outcome in done.files}
    untouched = [outcome for outcome in state.unfinished if outcome.source_path not in touched]
    rows = [_row(outcome) for outcome in [*done.files, *untouched][:ROWS]]
    return dg.MetadataValue.table(rows, COLUMNS)


def _row(outcome: FileOutcome) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "path": printable(outcome.source_path),
            "state": str(outcome.state),
            "bytes": outcome.size_bytes,
            "reason": printable(outcome.reason),
            "destination": printable(outcome.destination),
        }
    )


NOTHING_DONE = day_metadata(HarvestReport(), date.min, DayState())
"""Of the days in a range that have no files."""
