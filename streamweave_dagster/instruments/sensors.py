"""One sensor for each instrument: it looks at the share and requests runs for the days that have work.

There are no run keys: a key is never asked for again, not even after its run has failed. Instead nothing is requested
while a run of the instrument is under way, and the catalog tells what is left to do.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from streamweave.catalog.tables import Instrument, ScanOutcome
from streamweave.facility import Facility
from streamweave.harvest.rate_limit import closed_until, limits_of
from streamweave.harvest.run import look_until_quiet
from streamweave.harvest.scan_record import Sighting, latest_scan
from streamweave.instruments.dagster import harvest_run_tags
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.printable import printable
from streamweave_dagster.failures import RUN_RETRY_TAGS, TickFailed, errors_as_red_ticks
from streamweave_dagster.instruments.assets import asset_key
from streamweave_dagster.instruments.pacing import paused_until, refused_until, run_under_way
from streamweave_dagster.instruments.partitions import RANGE_END_TAG, RANGE_START_TAG, Span, spans
from streamweave_dagster.instruments.waiting import waiting
from streamweave_dagster.lost_runs import end_lost_runs
from streamweave_dagster.own_runs import location_of

LOOK_BUDGET_SECONDS = 20.0
PATIENCE_SECONDS = 10.0
"""A short quiet period is waited out within the tick: two looks and a wait end before Dagster gives up, after 60 s."""
A_LITTLE_SECONDS = 1
"""The daemon comes round every 5 seconds or so; a strict interval of its own length would often be missed by a hair."""
RUNS_PER_TICK = 10
"""A share with years on it is one long run rather than hundreds of short ones in a row."""

TickResult = dg.SensorResult | dg.SkipReason


def new_files_sensor(instrument: Instrument) -> dg.SensorDefinition:
    """The sensor of one instrument. At each tick it reads the instrument's row anew."""
    slug = instrument.slug

    @dg.sensor(
        name=f"new_files_{slug}",
        target=[asset_key(slug)],
        minimum_interval_seconds=max(1, instrument.poll_interval_seconds - A_LITTLE_SECONDS),
        default_status=dg.DefaultSensorStatus.RUNNING if instrument.enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Looks at the share of {instrument.name} and requests runs for the days that have settled files.",
    )
    def new_files(context: dg.SensorEvaluationContext, facility: dg.ResourceParam[Facility]) -> TickResult:
        with facility.sessions() as session:
            current = instrument_by_slug(session, slug)
        if current is None:
            return dg.SkipReason("the instrument is no longer in the catalog")
        if not current.enabled:
            return dg.SkipReason("the instrument is disabled")
        with errors_as_red_ticks():
            return _tick(context, facility, current)

    return new_files


def _tick(context: dg.SensorEvaluationContext, facility: Facility, instrument: Instrument) -> TickResult:
    _fail_if_refused(facility, instrument)
    sighting = look_until_quiet(
        facility, instrument, patience_seconds=PATIENCE_SECONDS, budget_seconds=LOOK_BUDGET_SECONDS
    )
    work = waiting(facility, instrument)
    # Dagster is asked only when it matters: each question costs it several connections
    obstacle = _obstacle(context.instance, facility, instrument, location_of(context)) if work.days else None
    if work.days and obstacle is None:
        return _request(instrument.slug, sighting, spans(work.days, at_most=RUNS_PER_TICK), facility.now())
    sentence = printable(f"{sighting.sentence()}; {obstacle if work.days else work.sentence()}")
    if sighting.outcome == ScanOutcome.SUSPECT:
        raise TickFailed(sentence)
    return dg.SkipReason(sentence)


def _fail_if_refused(facility: Facility, instrument: Instrument) -> None:
    with facility.sessions() as session:
        scan = latest_scan(session, instrument.id)
    until = refused_until(instrument, scan)
    if scan is not None and until is not None and facility.now() < until:
        raise TickFailed(
            f"{printable(scan.error_message or '')}; so as not to lock the account, this is not tried again before "
            f"{until:%Y-%m-%d %H:%M:%S} UTC or a change of the instrument or its service account"
        )


def _obstacle(instance: dg.DagsterInstance, facility: Facility, instrument: Instrument, location: str) -> str | None:
    opening = limits_of(instrument).opens_at(facility.now())
    if opening is not None:
        return closed_until(opening)
    end_lost_runs(instance, facility, location)
    if run := run_under_way(instance, instrument.slug):
        return f"nothing requested while the run {run.run_id[:8]} is {run.status.value.lower()}"
    until = paused_until(instance, instrument)
    if until is not None and facility.now() < until:
        return f"the last run failed: nothing requested before {until:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _request(slug: str, sighting: Sighting, requested: Sequence[Span], now: datetime) -> dg.SensorResult:
    """One run for each span. A tick that requests runs has no place for a sentence but its cursor."""
    sentence = f"{now:%Y-%m-%d %H:%M:%S} UTC: {sighting.sentence()}; requested {', '.join(map(str, requested))}"
    return dg.SensorResult([_run_request(slug, span) for span in requested], cursor=printable(sentence))


def _run_request(slug: str, span: Span) -> dg.RunRequest:
    first, last = span.first.isoformat(), span.last.isoformat()
    tags = {**harvest_run_tags(slug), **RUN_RETRY_TAGS}
    if first != last:
        tags |= {RANGE_START_TAG: first, RANGE_END_TAG: last}
    return dg.RunRequest(
        partition_key=first if first == last else None,
        tags=tags,
        asset_selection=[asset_key(slug)],
        asset_check_keys=[],  # they have a time of their own
    )
