"""The steps of a harvest, as the ops of the assets and of the job ``harvest`` take them one after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import Instrument, ScanOutcome, VersionState
from streamweave.errors import NotFound
from streamweave.facility import Facility
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import filter_files
from streamweave.harvest.progress import Progress
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.harvest.run import look_until_quiet, note_harvested
from streamweave.harvest.transfer import transfer_files
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.printable import printable
from streamweave_dagster.failures import RETRY_TRANSIENT, errors_as_failures
from streamweave_dagster.materializations import pace_metadata

Context = dg.OpExecutionContext | dg.AssetExecutionContext

SECONDS_BETWEEN_LINES = 10.0
NAMED_FILES_PER_BATCH = 20
AS_IT_SHOULD_BE = (VersionState.ARCHIVED, VersionState.UNCHANGED, VersionState.SKIPPED)


@dataclass
class Harvest:
    """One harvest on its way from op to op.

    Without ``days`` it goes over everything pending of the instrument. ``alarm`` is why the listing is not to be
    believed.
    """

    slug: str
    days: tuple[date, ...] | None = None
    alarm: str | None = None
    report: HarvestReport = field(default_factory=HarvestReport)


def instrument_called(facility: Facility, slug: str) -> Instrument:
    """The instrument's row as it is now. Raises ``NotFound``."""
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, slug)
    if instrument is None:
        raise NotFound(f"Instrument {slug}")
    return instrument


def look(context: Context, facility: Facility, harvest: Harvest) -> Harvest:
    """Look at the share until what stands there has settled."""
    with errors_as_failures():
        instrument = instrument_called(facility, harvest.slug)
        sighting = look_until_quiet(
            facility,
            instrument,
            dagster_run_id=context.run.run_id,
            tell=lambda line: context.log.info(printable(line)),
        )
    if sighting.outcome == ScanOutcome.SUSPECT:
        harvest.alarm = sighting.error_message
        context.log.error(printable(harvest.alarm or ""))
    return harvest


def filter_step(context: Context, facility: Facility, harvest: Harvest) -> Harvest:
    """Let the hooks decide, and plan transfers."""
    with errors_as_failures():
        report = filter_files(facility, instrument_called(facility, harvest.slug), harvest.days)
    context.log.info(f"decided against, or not decided: {report.sentence()}")
    harvest.report.include(report)
    return harvest


@dg.op(description="Copy, prove, publish and catalogue what is planned.", retry_policy=RETRY_TRANSIENT)
def transfer(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    """Archive what is planned. What stops it early travels on in the report, so that what was done is told first."""

    def tell(outcomes: Sequence[FileOutcome]) -> None:
        _tell_batch(context, outcomes)

    with errors_as_failures():
        instrument = instrument_called(facility, harvest.slug)
        with harvest_run(facility.sessions, instrument.id, context.run.run_id) as run_id:
            report = transfer_files(
                facility, instrument, run_id, harvest.days, on_outcomes=tell, on_progress=_ProgressLog(context).tell
            )
    for trouble in report.troubles:
        context.log.error(str(trouble))
    if report.pause:
        context.log.warning(report.pause)
    context.log.info(f"{report.sentence()} in {report.seconds:.1f} s")
    context.add_output_metadata(pace_metadata(report))
    harvest.report.include(report)
    return harvest


def enrich_step(context: Context, facility: Facility, harvest: Harvest) -> Instrument:
    """Let the hooks tell more about archived files; returns the instrument's row."""
    with errors_as_failures():
        instrument = instrument_called(facility, harvest.slug)
        failures = enrich_files(facility, instrument, harvest.days)
        note_harvested(facility, instrument)
    if failures:
        context.log.warning(f"{failures} files could not be enriched; their hooks are asked again")
    return instrument


class _ProgressLog:
    """Tells of progress now and then: each line is a row in Dagster's event log."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told_at = time.monotonic()

    def tell(self, progress: Progress) -> None:
        """Log it if it is time to."""
        if time.monotonic() - self._told_at >= SECONDS_BETWEEN_LINES:
            self._told_at = time.monotonic()
            self._context.log.info(printable(progress.sentence()))


def _tell_batch(context: Context, outcomes: Sequence[FileOutcome]) -> None:
    """Name the files that a person may want to look at, the first of many."""
    strange = [outcome for outcome in outcomes if outcome.state not in AS_IT_SHOULD_BE]
    for outcome in strange[:NAMED_FILES_PER_BATCH]:
        context.log.warning(printable(f"{outcome.source_path} is {outcome.state}: {outcome.reason}"))
    if len(strange) > NAMED_FILES_PER_BATCH:
        context.log.warning(f"and {len(strange) - NAMED_FILES_PER_BATCH} more files of this batch")
