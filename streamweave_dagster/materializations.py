"""What a materialization tells: the harvest of one acquisition day, in numbers and file by file."""

from datetime import date

import dagster as dg

from streamweave.catalog.tables import VersionState
from streamweave.harvest.backlog import NEEDS_ATTENTION
from streamweave.harvest.report import DayReport, FileOutcome, HarvestReport
from streamweave.printable import printable
from streamweave_dagster.standing import WAITING, DayStanding

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


def day_metadata(report: HarvestReport, day: date, standing: DayStanding) -> dict[str, dg.MetadataValue]:
    """``files`` and ``bytes`` are what this harvest archived of the day; its pace is that over all days.

    ``skipped``, ``waiting`` and ``failed`` count how the day's files stand now, whichever harvest brought them there.
    """
    done = report.days.get(day, DayReport())
    return {
        "files": dg.MetadataValue.int(done.counts[VersionState.ARCHIVED]),
        "bytes": dg.MetadataValue.int(done.bytes),
        **pace_metadata(report),
        "skipped": dg.MetadataValue.int(standing.number(VersionState.SKIPPED)),
        "waiting": dg.MetadataValue.int(standing.number(*WAITING)),
        "failed": dg.MetadataValue.int(standing.number(*NEEDS_ATTENTION)),
        "table": _table(done, standing),
    }


def pace_metadata(report: HarvestReport) -> dict[str, dg.MetadataValue]:
    """How fast a harvest's transfers were: ``files_per_second`` and ``bytes_per_second``, from claims to catalog."""
    seconds = report.seconds or float("inf")
    return {
        "files_per_second": dg.MetadataValue.float(round(report.counts[VersionState.ARCHIVED] / seconds, 2)),
        "bytes_per_second": dg.MetadataValue.float(round(report.bytes / seconds, 2)),
    }


def _table(done: DayReport, standing: DayStanding) -> dg.MetadataValue:
    """The files of this harvest, then those that it did not touch though they wait or need a person."""
    touched = {outcome.source_path for outcome in done.files}
    untouched = [outcome for outcome in standing.unfinished if outcome.source_path not in touched]
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


NOTHING_DONE = day_metadata(HarvestReport(), date.min, DayStanding())
"""Of the days in a range that have no files."""
