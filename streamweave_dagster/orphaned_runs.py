"""``python -m streamweave_dagster.orphaned_runs``: end on record the runs of a system that was killed.

To be run before the daemon starts, when nobody can be running anything. Queued runs stay queued; what a dead run had
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


def main() -> None:
    """Work on the instance at ``DAGSTER_HOME``."""
    with dg.DagsterInstance.get() as instance:
        print(f"{end_orphaned_runs(instance)} runs that an earlier start had left in progress")


if __name__ == "__main__":
    main()
