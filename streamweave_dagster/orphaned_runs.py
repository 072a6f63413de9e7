"""Orphaned runs: those of a system that was killed are ended on record.

To be done before the daemon starts, when nobody can be running anything. Queued runs stay queued; what a dead run had
claimed in the catalog is free by itself.
"""

import dagster as dg

LEFT_RUNNING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
LEFT_CANCELING = [dg.DagsterRunStatus.CANCELING]
MESSAGE = "The system was stopped while this run was in progress; it was found so at the next start."


def end_orphaned_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs as failed (which lets Dagster retry them) or, when somebody was canceling them, as canceled."""
    running = instance.get_runs(dg.RunsFilter(statuses=LEFT_RUNNING))
    canceling = instance.get_runs(dg.RunsFilter(statuses=LEFT_CANCELING))
    for run in running:
        instance.report_run_failed(run, MESSAGE)
    for run in canceling:
        instance.report_run_canceled(run, MESSAGE)
    return len(running) + len(canceling)
