"""Lost runs: those whose lease has ended, whatever launched them, are failed on record, so that Dagster retries them.

The sensor ``lost_runs`` looks for them several times a minute, and so does an instrument's own sensor before it waits
for a run: it must not wait for one that will never end.
"""

from datetime import datetime

import dagster as dg

from streamweave.catalog.leases import RUN_LEASE_SECONDS, take_lost_leases
from streamweave.facility import Facility
from streamweave_dagster.failures import errors_as_red_ticks
from streamweave_dagster.own_runs import location_of, own_runs

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
    """One search."""
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
