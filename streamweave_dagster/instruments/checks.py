"""Three checks for each instrument, all of them in the job ``check_instruments``, once a day:

``fixity``
    archived bytes are still what the catalog says, as the job ``sweep_archive`` found them, and re-read often enough
``completeness``
    no file needs a person, none waits for a destination
``freshness``
    the share has been looked at lately, and the last look is to be believed
"""

from collections.abc import Callable

import dagster as dg

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.facility import Facility
from streamweave.fixity.damage import unrepaired
from streamweave.fixity.standing import standing_of_instrument, troubles_of
from streamweave.harvest.backlog import stragglers
from streamweave_dagster.failures import errors_as_failures
from streamweave_dagster.instruments.assets import asset_key
from streamweave_dagster.instruments.freshness import freshness_of
from streamweave_dagster.instruments.waiting import waiting
from streamweave_dagster.steps import instrument_called

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
        standing = standing_of_instrument(session, instrument.id, facility.now())
        damage = unrepaired(session, instrument.id)
        troubles = troubles_of(session, instrument.id)
    return dg.AssetCheckResult(
        passed=not standing.damaged and not standing.overdue and not troubles,
        severity=dg.AssetCheckSeverity.ERROR if standing.damaged else dg.AssetCheckSeverity.WARN,
        description="; ".join([standing.sentence(), *troubles]),
        metadata={
            "copies": standing.copies,
            "overdue": standing.overdue,
            "damaged": _table([{"path": path, "finding": finding} for path, finding in damage], "path", "finding"),
        },
    )


def _completeness(facility: Facility, instrument: Instrument) -> dg.AssetCheckResult:
    with facility.sessions() as session:
        people_needed = stragglers(session, instrument)
    work = waiting(facility, instrument)
    without_destination = work.without_destination
    lost = [straggler for straggler in people_needed if straggler.state != VersionState.OVERDUE]
    rows = [
        {"path": each.source_path, "state": str(each.state), "reason": each.reason, "since": f"{each.since:%F %T} UTC"}
        for each in people_needed
    ]
    return dg.AssetCheckResult(
        passed=not people_needed and not without_destination,
        severity=dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
        description=f"{len(people_needed)} files need a person, {without_destination} wait for a destination"
        + (f": {work.why_no_destination}" if without_destination else ""),
        metadata={"files": _table(rows, "path", "state", "reason", "since")},
    )


def _freshness(facility: Facility, instrument: Instrument) -> dg.AssetCheckResult:
    passed, sentence = freshness_of(facility, instrument)
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.ERROR, description=sentence)


def _table(rows: list[dict[str, str]], *columns: str) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn(column) for column in columns])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema)


EXAMINATIONS: dict[str, tuple[str, Examination]] = {
    "fixity": ("Archived bytes were read again lately, and are still what the catalog says.", _fixity),
    "completeness": ("No file is overdue, failed, unreadable, vanished, or without a destination.", _completeness),
    "freshness": ("The share has been looked at lately, and the last look is to be believed.", _freshness),
}
