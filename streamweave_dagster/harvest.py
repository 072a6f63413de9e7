"""The assets, the job ``harvest`` and its schedules: their ops take the core's ``STEPS`` one after the other.

There is one asset for each instrument: its archived files, with a partition for each acquisition day. Materializing a
partition harvests that day; a range of partitions is one run.

The job ``harvest`` is for one instrument, its whole share, everything pending. Schedules and manual triggers run it.
When it has succeeded, every file that was on the share when it began is in the catalog, archived or with the reason why
not.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

import dagster as dg

from streamweave.catalog.tables import Instrument, Schedule, VersionState
from streamweave.errors import NotFound
from streamweave.facility import Facility
from streamweave.harvest.progress import FileOutcome, Progress
from streamweave.harvest.rate_limit import closed_until, limits_of
from streamweave.harvest.run import STEPS, Harvest, Listeners
from streamweave.instruments.dagster import JOB_NAME, harvest_run_config, harvest_run_tags
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.printable import printable
from streamweave_dagster.failures import RETRY_TRANSIENT, RUN_RETRY_TAGS, errors_as_failures, summed_up
from streamweave_dagster.materializations import NOTHING_DONE, day_metadata, day_states, pace_metadata

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
Context = dg.OpExecutionContext | dg.AssetExecutionContext
SECONDS_BETWEEN_LINES = 10.0
NAMED_FILES_PER_BATCH = 20
AS_IT_SHOULD_BE = (VersionState.ARCHIVED, VersionState.UNCHANGED, VersionState.SKIPPED)
GROUP = "instruments"
SENSOR_TAG = "dagster/sensor_name"


def acquisition_days(instrument: Instrument) -> dg.DailyPartitionsDefinition:
    """Every day from the instrument's first one to today."""
    return dg.DailyPartitionsDefinition(
        start_date=instrument.first_acquisition_day.isoformat(),
        timezone=instrument.timezone,
        end_offset=1,  # Dagster leaves out the day that has not ended, on which most harvests happen
    )


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row, both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def spans(days: Iterable[date], *, at_most: int) -> Sequence[Span]:
    """Group days into as few spans as possible, in order; more than ``at_most`` become one that spans the gaps too."""
    found: list[Span] = []
    for day in sorted(set(days)):
        if found and found[-1].last + timedelta(days=1) == day:
            found[-1] = Span(found[-1].first, day)
        else:
            found.append(Span(day, day))
    return found if len(found) <= at_most else [Span(found[0].first, found[-1].last)]


def instrument_called(facility: Facility, slug: str) -> Instrument:
    """The instrument's row as it is now. Raises ``NotFound``."""
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, slug)
    if instrument is None:
        raise NotFound(f"Instrument {slug}")
    return instrument


def take(context: Context, facility: Facility, harvest: Harvest, step: str) -> Instrument:
    """Take one of the core's ``STEPS``, with the instrument's row as it is now, which is returned."""

    def say(sentence: str) -> None:
        context.log.info(printable(sentence))

    with errors_as_failures():
        instrument = instrument_called(facility, harvest.slug)
        listeners = Listeners(say, partial(_name_files, context), _ProgressLog(context).log)
        STEPS[step](facility, instrument, harvest, listeners)
    return instrument


def scan_share(context: Context, facility: Facility, harvest: Harvest) -> Harvest:
    take(context, facility, harvest, "discover")
    if harvest.alarm:
        context.log.error(printable(harvest.alarm))
    return harvest


def filter_step(context: Context, facility: Facility, harvest: Harvest) -> Harvest:
    take(context, facility, harvest, "filter")
    context.log.info(f"decided against, or not decided: {harvest.report.sentence()}")
    return harvest


@dg.op(description="Copy, prove, publish and catalogue what is planned.", retry_policy=RETRY_TRANSIENT)
def transfer(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    """Archive what is planned. What ends it early is in the report, so that what was done is reported first."""
    take(context, facility, harvest, "transfer")
    report = harvest.transferred
    for trouble in report.troubles:
        context.log.error(str(trouble))
    if report.pause:
        context.log.warning(report.pause)
    context.log.info(f"{report.sentence()} in {report.seconds:.1f} s")
    context.add_output_metadata(pace_metadata(report))
    return harvest


def enrich_step(context: Context, facility: Facility, harvest: Harvest) -> Instrument:
    """Let the hooks add metadata to archived files; returns the instrument's row."""
    instrument = take(context, facility, harvest, "enrich")
    if number := harvest.not_enriched:
        context.log.warning(
            f"{number} {'file' if number == 1 else 'files'} could not be enriched; their hooks are asked again"
        )
    return instrument


class _ProgressLog:
    """Logs progress now and then: each line is a row in Dagster's event log."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._logged_at = time.monotonic()

    def log(self, progress: Progress) -> None:
        if time.monotonic() - self._logged_at >= SECONDS_BETWEEN_LINES:
            self._logged_at = time.monotonic()
            self._context.log.info(printable(progress.sentence()))


def _name_files(context: Context, outcomes: Sequence[FileOutcome]) -> None:
    """Name the files that a person may want to check, the first of many."""
    strange = [outcome for outcome in outcomes if outcome.state not in AS_IT_SHOULD_BE]
    for outcome in strange[:NAMED_FILES_PER_BATCH]:
        context.log.warning(printable(f"{outcome.source_path} is {outcome.state}: {outcome.reason}"))
    if len(strange) > NAMED_FILES_PER_BATCH:
        context.log.warning(f"and {len(strange) - NAMED_FILES_PER_BATCH} more files of this batch")


def asset_key(slug: str) -> dg.AssetKey:
    """What the archive of the instrument ``slug`` is called."""
    return dg.AssetKey([GROUP, slug])


def instrument_asset(instrument: Instrument) -> dg.AssetsDefinition:
    """The asset of one instrument, whose ops read the instrument's row anew."""
    slug = instrument.slug

    @dg.op(
        name=f"filter_{slug}",
        description="Let the hooks decide on settled files, and plan transfers. Looks at the share first, "
        "unless the sensor that requested the run has just done so.",
        retry_policy=RETRY_TRANSIENT,
    )
    def filter_of_instrument(context: dg.AssetExecutionContext, facility: dg.ResourceParam[Facility]) -> Harvest:
        days = tuple(map(date.fromisoformat, context.partition_keys))
        harvest = Harvest(slug, days, context.run.run_id)
        # for the queue and the sensor: a run started from the UI doesn't say which instrument it harvests
        context.instance.add_run_tags(context.run.run_id, {**harvest_run_tags(slug), **RUN_RETRY_TAGS})
        if SENSOR_TAG not in context.run.tags:
            scan_share(context, facility, harvest)
        return filter_step(context, facility, harvest)

    @dg.graph_asset(
        key=asset_key(slug),
        group_name=GROUP,
        description=_description(instrument),
        partitions_def=acquisition_days(instrument),
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"smb"},
    )
    def archive() -> object:
        return enrich_days.alias("enrich")(transfer(filter_of_instrument.alias("filter")()))

    return archive


@dg.op(description="Let the hooks add metadata to archived files, and show what was done.", out=dg.Out(dg.Nothing))
def enrich_days(
    context: dg.AssetExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest
) -> Iterator[dg.Output[None]]:
    """Materialize the days, each with what was done for it; only then fail if something was wrong."""
    instrument = enrich_step(context, facility, harvest)
    days, report = harvest.days or (), harvest.report
    with facility.sessions() as session:
        states = day_states(session, instrument, days)
    context.add_asset_metadata(NOTHING_DONE)
    for day in days:
        if day in report.days or states[day].counts:
            context.add_asset_metadata(day_metadata(report, day, states[day]), partition_key=day.isoformat())
    yield dg.Output(None)
    if failure := summed_up(harvest.alarm, report.troubles):
        raise failure


def _description(instrument: Instrument) -> str:
    about = f"{instrument.description}\n\n" if instrument.description else ""
    origin = f"**{instrument.name}** from `//{instrument.cifs_host}/{instrument.cifs_share}`"
    return f"{about}The archived files of {origin}, by acquisition day ({instrument.timezone})."


class WhichInstrument(dg.Config):
    """``instrument`` is the slug."""

    instrument: str


@dg.op(description="Scan the share until what is on it has settled.", retry_policy=RETRY_TRANSIENT)
def discover(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], config: WhichInstrument) -> Harvest:
    """The harvest begins here; from now on it knows its instrument."""
    return scan_share(context, facility, Harvest(config.instrument, dagster_run_id=context.run.run_id))


@dg.op(
    name="filter_pending",
    description="Let the hooks decide on everything that has settled, and plan transfers.",
    retry_policy=RETRY_TRANSIENT,
)
def filter_pending(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    return filter_step(context, facility, harvest)


@dg.op(description="Let the hooks add metadata to archived files, and show what was done.")
def enrich_touched(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    """Tell of a materialization for each day that was touched; only then fail if something was wrong."""
    instrument = enrich_step(context, facility, harvest)
    report = harvest.report
    with facility.sessions() as session:
        states = day_states(session, instrument, report.days)
    for day in sorted(states):
        context.log_event(
            dg.AssetMaterialization(
                asset_key(harvest.slug), partition=day.isoformat(), metadata=day_metadata(report, day, states[day])
            )
        )
    if failure := summed_up(harvest.alarm, report.troubles):
        raise failure
    return harvest


@dg.op(description="Read a share of the archived files again at the source.", out=dg.Out(dg.Nothing))
def rehash_sampled(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> None:
    """Nothing depends on this: the harvest is done, and was reported."""
    take(context, facility, harvest, "rehash")
    check = harvest.source_check
    for path in check.changed if check else ():
        context.log.warning(
            printable(f"{path} has another content, though size and mtime are the same: it settles anew")
        )


@dg.job(
    name=JOB_NAME,
    description="Harvest one instrument: discover what is on its share, then archive everything pending.",
    tags=RUN_RETRY_TAGS,
)
def harvest_job() -> None:
    """discover → filter → transfer → enrich → rehash."""
    harvested = enrich_touched.alias("enrich")(transfer(filter_pending.alias("filter")(discover())))
    rehash_sampled.alias("rehash")(harvested)


def harvest_schedule(schedule: Schedule) -> dg.ScheduleDefinition:
    """The schedule, by the calendar on the instrument's wall.

    It rests while its instrument is disabled, and requests nothing outside the instrument's hours.
    """
    instrument = schedule.instrument
    limits = limits_of(instrument)

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        opening = limits.opens_at(context.scheduled_execution_time)
        if opening is not None:
            return dg.SkipReason(closed_until(opening))
        return dg.RunRequest(run_config=harvest_run_config(instrument.slug), tags=harvest_run_tags(instrument.slug))

    running = schedule.enabled and instrument.enabled
    return dg.ScheduleDefinition(
        name=schedule.dagster_schedule_name,
        job=harvest_job,
        cron_schedule=schedule.cron_expression,
        execution_timezone=instrument.timezone,
        execution_fn=request,
        description=f"Harvests {instrument.name} into {schedule.default_storage_location.name}.",
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
    )
