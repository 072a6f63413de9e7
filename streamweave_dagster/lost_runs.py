"""Lost runs are ended on record, so that Dagster retries them: those whose lease has ended, and orphans.

The sensor ``lost_runs`` searches for ended leases several times a minute, whatever launched the run, and an
instrument's own sensor does so before it waits for a run.

Orphans are runs that ended with an earlier code server. Only Dagster's default launcher starts runs as its children; a
run that another one launched (Celery, Kubernetes, Docker) may continue elsewhere, and its lease alone decides. Runs of
other code locations are never touched, and queued runs stay queued.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from streamweave.catalog.leases import RUN_LEASE_SECONDS, take_lost_leases
from streamweave.facility import Facility
from streamweave.instruments.dagster import LOCATION_NAME
from streamweave_dagster.failures import errors_as_red_ticks


def own_runs(instance: dg.DagsterInstance, location: str, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
    """The runs of the code location ``location`` that have one of these statuses."""
    runs: Sequence[dg.DagsterRun] = instance.get_runs(dg.RunsFilter(statuses=list(statuses)))
    return [run for run in runs if _location_of_run(run) == location]


def location_of(context: dg.SensorEvaluationContext) -> str:
    """The name under which the workspace has loaded the code location of this sensor."""
    origin = context.code_location_origin
    return origin.location_name if origin else LOCATION_NAME


def _location_of_run(run: dg.DagsterRun) -> str | None:
    """None for a run that no code location was asked for: one of a test, say."""
    origin = run.remote_job_origin
    return origin.location_name if origin else None


NAME = "lost_runs"
SECONDS_BETWEEN_TICKS = 10
"""With the beat, the lease and the daemon's own rhythm: a run that was killed is failed within 60 seconds."""


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails the runs of this code location that are in progress on record, but show no sign of life.",
)
def lost_runs_sensor(context: dg.SensorEvaluationContext, facility: dg.ResourceParam[Facility]) -> dg.SkipReason:
    with errors_as_red_ticks():
        ended = end_lost_runs(context.instance, facility, location_of(context))
    return dg.SkipReason(f"{ended} lost {'run' if ended == 1 else 'runs'} ended")


def end_lost_runs(instance: dg.DagsterInstance, facility: Facility, location: str) -> int:
    """End the runs of the code location ``location`` that have lost their lease; returns how many.

    Queued and starting runs hold no lease yet, and are left to Dagster's run monitoring.
    """
    running = own_runs(instance, location, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    if not running:
        return 0
    with facility.sessions.begin() as session:
        lost = take_lost_leases(session, [run.run_id for run in running])
    return sum(_end(instance, run_id, last_beat) for run_id, last_beat in lost.items())


def _end(instance: dg.DagsterInstance, run_id: str, last_beat: datetime) -> bool:
    """End a run on record, unless it has ended meanwhile."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    message = (
        f"This run was lost: its process has shown no sign of life for {RUN_LEASE_SECONDS:.0f} seconds, the last one "
        f"at {last_beat:%Y-%m-%d %H:%M:%S} UTC. It was killed, or its machine or network is down. "
        "What it had begun is taken up by the next run."
    )
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    return True


MESSAGE = "The system was stopped while this run was in progress; it was found so at the next start."


def end_orphaned_runs(instance: dg.DagsterInstance, location: str) -> int:
    """Mark runs as failed (which lets Dagster retry them) or, when somebody was canceling them, as canceled."""
    if not isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        return 0
    running = own_runs(instance, location, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
    canceling = own_runs(instance, location, dg.DagsterRunStatus.CANCELING)
    for run in running:
        instance.report_run_failed(run, MESSAGE)
    for run in canceling:
        instance.report_run_canceled(run, MESSAGE)
    return len(running) + len(canceling)
