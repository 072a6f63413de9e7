"""Three checks for each instrument, all of them in the job ``check_instruments``, once a day:

``fixity``
    archived bytes are still what the catalog says, as the job ``sweep_archive`` found them, and re-read often enough
``completeness``
    no file needs attention, none waits for a destination, and the last whole scan could list every folder
``freshness``
    the share has been scanned lately, and the last scan is plausible
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import dagster as dg
from sqlalchemy import select

from streamweave.catalog.tables import Instrument, Scan, ScanOutcome, Schedule, VersionState
from streamweave.facility import Facility
from streamweave.harvest.progress import stragglers
from streamweave.harvest.scan_record import latest_scan, unlisted_sentence
from streamweave.instruments.schedules import longest_pause
from streamweave.preservation.damage import unrepaired
from streamweave.preservation.report import fixity_state_of_instrument, locations_with_copies, troubles_of
from streamweave.printable import printable
from streamweave_dagster.failures import errors_as_failures
from streamweave_dagster.harvest import asset_key, instrument_called
from streamweave_dagster.sensors import Backlog, waiting


def freshness_of(facility: Facility, instrument: Instrument) -> tuple[bool, str]:
    """Whether the last look is good and recent enough, and a sentence about it."""
    if not instrument.enabled:
        return True, "the instrument is disabled: nobody looks"
    with facility.sessions() as session:
        scan = latest_scan(session, instrument.id)
        crons = session.scalars(
            select(Schedule.cron_expression).where(
                Schedule.instrument_id == instrument.id, Schedule.enabled, Schedule.deleted_at.is_(None)
            )
        ).all()
    return judge(instrument, scan, crons, facility.now())


def judge(instrument: Instrument, scan: Scan | None, crons: Sequence[str], now: datetime) -> tuple[bool, str]:
    """Decide on the last finished look. Pure."""
    if scan is None or scan.finished_at is None:
        return False, "nobody has looked at the share yet"
    seen = f"the last look ended {scan.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    if scan.outcome in (ScanOutcome.FAILED, ScanOutcome.SUSPECT):
        return False, f"{seen} and is {scan.outcome}: {scan.error_message}"
    longest = longest_pause(instrument, crons, now)
    age = now - scan.finished_at
    if age > longest:
        return False, f"{seen}, {age.total_seconds():.0f} s ago; it should be at most {longest.total_seconds():.0f} s"
    return True, seen


Examination = Callable[[Facility, Instrument], dg.AssetCheckResult]


def instrument_checks(instrument: Instrument) -> list[dg.AssetChecksDefinition]:
    """The checks of one instrument. Each reads the instrument's row anew."""
    return [_check(instrument.slug, name, about, examine) for name, (about, examine) in EXAMINATIONS.items()]


def _check(slug: str, name: str, about: str, examine: Examination) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset_key(slug), name=name, description=about)
    def check(facility: dg.ResourceParam[Facility]) -> dg.AssetCheckResult:
        with errors_as_failures():
            return examine(facility, instrument_called(facility, slug))

    return check


def _fixity(facility: Facility, instrument: Instrument) -> dg.AssetCheckResult:
    with facility.sessions() as session:
        standing = fixity_state_of_instrument(session, instrument.id, facility.now())
        damage = unrepaired(session, instrument.id)
        troubles = troubles_of(session, instrument.id)
        locations = locations_with_copies(session, instrument.id)
        notices = [f"{each.name}: {notice}" for each in locations if (notice := facility.storage_notice(each))]
    return dg.AssetCheckResult(
        passed=not standing.damaged and not standing.overdue and not troubles,
        severity=dg.AssetCheckSeverity.ERROR if standing.damaged else dg.AssetCheckSeverity.WARN,
        description=printable("; ".join([standing.sentence(), *troubles, *notices])),
        metadata={
            "copies": standing.copies,
            "overdue": standing.overdue,
            "damaged": _table([{"path": path, "finding": finding} for path, finding in damage], "path", "finding"),
        },
    )


def _completeness(facility: Facility, instrument: Instrument) -> dg.AssetCheckResult:
    with facility.sessions() as session:
        people_needed = stragglers(session, instrument)
        whole = latest_scan(session, instrument.id, outcome=ScanOutcome.COMPLETE)
    unlisted = whole.unreadable_folders if whole else 0
    work = waiting(facility, instrument)
    lost = [straggler for straggler in people_needed if straggler.state != VersionState.OVERDUE]
    rows = [
        {"path": each.source_path, "state": str(each.state), "reason": each.reason, "since": f"{each.since:%F %T} UTC"}
        for each in people_needed
    ]
    return dg.AssetCheckResult(
        passed=not people_needed and not work.without_destination and not unlisted,
        severity=dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
        description=printable("; ".join(_completeness_sentences(len(people_needed), work, whole))),
        metadata={
            "files": _table(rows, "path", "state", "reason", "since"),
            "unlisted_folders": unlisted,
            "folders": _table(_folders(whole), "folder", "reason"),
        },
    )


def _completeness_sentences(people_needed: int, work: Backlog, whole: Scan | None) -> Iterator[str]:
    why = f": {work.why_no_destination}" if work.without_destination else ""
    yield f"{people_needed} files need a person, {work.without_destination} wait for a destination{why}"
    if whole and whole.unreadable_folders:
        yield unlisted_sentence(whole.unreadable_folders, whole.folders_not_listed)


def _folders(whole: Scan | None) -> list[dict[str, str]]:
    unlisted = whole.folders_not_listed if whole else {}
    return [{"folder": folder, "reason": reason} for folder, reason in unlisted.items()]


def _freshness(facility: Facility, instrument: Instrument) -> dg.AssetCheckResult:
    passed, sentence = freshness_of(facility, instrument)
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.ERROR, description=printable(sentence))


def _table(rows: list[dict[str, str]], *columns: str) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn(column) for column in columns])
    return dg.MetadataValue.table(
        [dg.TableRecord({column: printable(cell) for column, cell in row.items()}) for row in rows], schema
    )


EXAMINATIONS: dict[str, tuple[str, Examination]] = {
    "fixity": ("Archived bytes were read again lately, and are still what the catalog says.", _fixity),
    "completeness": (
        "No file is overdue, failed, unreadable, vanished, or without a destination; every folder was listed.",
        _completeness,
    ),
    "freshness": ("The share has been looked at lately, and the last look is to be believed.", _freshness),
}
