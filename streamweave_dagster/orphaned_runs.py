"""Orphaned runs: those that died with an earlier code server are ended on record, before the next one starts.

That is known of Dagster's default launcher alone, whose runs are children of the code server. Runs that another one
launched (Celery, Kubernetes, Docker) may well go on elsewhere: of them only their lease tells (``lost_runs``). Runs of
other code locations are none of our business. Queued runs stay queued; what a dead run had claimed in the catalog is
free by itself.
"""

import dagster as dg

from streamweave_dagster.own_runs import own_runs

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
