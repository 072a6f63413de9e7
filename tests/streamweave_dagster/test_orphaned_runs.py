"""After a kill, the runs that nobody can be running any more are ended on record."""

from typing import Any

import dagster as dg
import pytest

from streamweave_dagster.orphaned_runs import end_orphaned_runs

STATUS = dg.DagsterRunStatus


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (STATUS.STARTING, STATUS.FAILURE),
        (STATUS.STARTED, STATUS.FAILURE),
        (STATUS.CANCELING, STATUS.CANCELED),
        (STATUS.QUEUED, STATUS.QUEUED),
        (STATUS.NOT_STARTED, STATUS.NOT_STARTED),
        (STATUS.SUCCESS, STATUS.SUCCESS),
    ],
)
def test_only_runs_in_progress_are_ended(orchestra: Any, before: STATUS, after: STATUS) -> None:
    run_id = orchestra.add_run(before)
    assert end_orphaned_runs(orchestra.instance) == (before != after)
    assert orchestra.instance.get_run_by_id(run_id).status == after


def test_the_run_says_why_it_ended(orchestra: Any) -> None:
    run_id = orchestra.add_run(STATUS.STARTED)
    end_orphaned_runs(orchestra.instance)
    messages = [entry.message for entry in orchestra.instance.all_logs(run_id)]
    assert any("The system was stopped while this run was in progress" in message for message in messages)
