"""Which runs of a Dagster instance are ours: a Dagster may serve code locations of other people too."""

from collections.abc import Sequence

import dagster as dg

from streamweave.instruments.dagster import LOCATION_NAME


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
