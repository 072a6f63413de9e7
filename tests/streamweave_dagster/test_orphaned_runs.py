"""After a kill, the runs that nobody can be running any more are ended on record, at the next start: ours alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from streamweave_dagster.lost_runs import end_orphaned_runs

STATUS = dg.DagsterRunStatus


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster with its default launcher."""
    with dg.instance_for_test(
        overrides={"run_launcher": {"module": "dagster", "class": "DefaultRunLauncher"}}, temp_dir=str(tmp_path)
    ) as instance:
        yield instance


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
    assert end_orphaned_runs(orchestra.instance, "streamweave") == (before != after)
    assert orchestra.instance.get_run_by_id(run_id).status == after


def test_the_run_says_why_it_ended(orchestra: Any) -> None:
    run_id = orchestra.add_run(STATUS.STARTED)
    end_orphaned_runs(orchestra.instance, "streamweave")
    messages = [entry.message for entry in orchestra.instance.all_logs(run_id)]
    assert any("The system was stopped while this run was in progress" in message for message in messages)


@pytest.mark.parametrize("status", [STATUS.STARTING, STATUS.STARTED, STATUS.CANCELING])
def test_runs_of_another_code_location_are_left_alone(orchestra: Any, status: STATUS) -> None:
    run_id = orchestra.add_run(status, location="other_team")
    assert end_orphaned_runs(orchestra.instance, "streamweave") == 0
    assert orchestra.instance.get_run_by_id(run_id).status == status


def test_runs_that_another_launcher_started_may_well_go_on_elsewhere(orchestra: Any, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(folder)) as instance:
        assert not isinstance(instance.run_launcher, dg.DefaultRunLauncher)
        orchestra.instance = instance
        run_id = orchestra.add_run(STATUS.STARTED)
        assert end_orphaned_runs(instance, "streamweave") == 0
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == STATUS.STARTED
