"""One sensor for each instrument: it scans the share and requests runs for the days that have work.

There are no run keys: a key is never requested again, not even after its run has failed. Instead nothing is requested
while a run of the instrument is under way, for a while after failed runs, or outside the instrument's hours; and no
scan is made for a while after the server refused the login.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from streamweave.catalog.tables import Instrument, Scan, ScanOutcome, VersionState
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import CredentialsRefused
from streamweave.facility import Facility
from streamweave.harvest.plan import days_with_work, policy_for
from streamweave.harvest.progress import versions_by_state
from streamweave.harvest.rate_limit import closed_until, limits_of
from streamweave.harvest.run import scan_until_quiet
from streamweave.harvest.scan_record import ScanResult, latest_scan
from streamweave.harvest.version_state import retry_delay
from streamweave.instruments.dagster import harvest_run_tags
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.printable import printable
from streamweave_dagster.failures import RUN_RETRY_TAGS, TickFailed, errors_as_red_ticks
from streamweave_dagster.harvest import RANGE_END_TAG, RANGE_START_TAG, Span, asset_key, spans
from streamweave_dagster.lost_runs import end_lost_runs, location_of

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
ENDED_RUNS_CONSIDERED = 8
REFUSED_PAUSE = timedelta(hours=1)
"""Between two logins with credentials that were refused: a few in a row lock an account in most domains."""


def run_under_way(instance: dg.DagsterInstance, slug: str) -> dg.DagsterRun | None:
    """The run of this instrument that is queued or in progress."""
    runs = instance.get_runs(dg.RunsFilter(tags=harvest_run_tags(slug), statuses=UNDER_WAY), limit=1)
    return next(iter(runs), None)


def paused_until(instance: dg.DagsterInstance, instrument: Instrument) -> datetime | None:
    """Until when nothing is requested because the last runs have failed, longer with each; None if the last did not."""
    ended = dg.RunsFilter(tags=harvest_run_tags(instrument.slug), statuses=ENDED)
    records = instance.get_run_records(ended, limit=ENDED_RUNS_CONSIDERED)
    failures = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if not failures:
        return None
    ended_at = datetime.fromtimestamp(records[0].end_time or records[0].update_timestamp.timestamp(), UTC)
    return ended_at + retry_delay(instrument, failures - 1)


def refused_until(instrument: Instrument, scan: Scan | None) -> datetime | None:
    """Until when no login is tried after the last one was refused; a change of instrument or account ends the pause."""
    if scan is None or scan.error_kind != CredentialsRefused.kind():
        return None
    account = instrument.service_account
    changed_at = max(instrument.updated_at, account.updated_at) if account else instrument.updated_at
    return None if changed_at > scan.started_at else scan.started_at + REFUSED_PAUSE


@dataclass(frozen=True, slots=True)
class Backlog:
    """``days`` have work that can be done now; all of them are partitions. The numbers count files."""

    days: Sequence[date]
    days_before_the_first: int
    settling: int
    without_destination: int
    failed_for_now: int
    why_no_destination: str = ""

    def sentence(self) -> str:
        """Why there is nothing to request, for a person; meant for an instrument without ``days``."""
        reasons = [
            (self.settling, "still settling"),
            (self.without_destination, f"wait: {self.why_no_destination}"),
            (self.failed_for_now, "wait for a further attempt"),
            (self.days_before_the_first, "days before the first partition wait for a scheduled harvest"),
        ]
        return ", ".join(f"{number} {reason}" for number, reason in reasons if number) or "nothing to harvest"


def waiting(facility: Facility, instrument: Instrument) -> Backlog:
    """Ask the catalog. Raises ``InvalidInput`` when a hook's row can't be used."""
    with facility.sessions() as session:
        policy = policy_for(session, instrument, facility.reach)
        days = days_with_work(session, instrument, policy, facility.now())
        states = versions_by_state(session, instrument)
    settled = states.get(VersionState.SETTLED, 0)
    partitions = [day for day in days if day >= instrument.first_acquisition_day]
    return Backlog(
        days=partitions,
        days_before_the_first=len(days) - len(partitions),
        settling=sum(states.get(state, 0) for state in WATCHED),
        without_destination=0 if policy.destinations else settled,
        failed_for_now=states.get(VersionState.PENDING, 0) + (settled if policy.destinations else 0),
        why_no_destination=policy.why_no_destination,
    )


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
    sighting = scan_until_quiet(
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


def _request(slug: str, sighting: ScanResult, requested: Sequence[Span], now: datetime) -> dg.SensorResult:
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
