"""Runs hold leases, and lose them when they die; those that are lost are ended on record, ours alone."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import func, select, update

from streamweave.catalog.tables import RunLease
from streamweave.harvest import run
from streamweave_dagster import checks, maintenance
from streamweave_dagster.lost_runs import end_lost_runs

STATUS = dg.DagsterRunStatus


def held(lab: Any) -> list[str]:
    with lab.sessions() as session:
        return list(session.scalars(select(RunLease.dagster_run_id)))


def fall_silent(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been heard of any run for a minute, from a database that has been up for as long."""
    monkeypatch.setattr("streamweave.catalog.leases.RUN_LEASE_SECONDS", 0.0)
    with lab.sessions.begin() as session:
        session.execute(update(RunLease).values(heartbeat_at=func.now() - timedelta(minutes=1)))


def find(orchestra: Any) -> int:
    return end_lost_runs(orchestra.instance, orchestra.lab.facility, "streamweave")


@pytest.mark.parametrize(("before", "after"), [(STATUS.STARTED, STATUS.FAILURE), (STATUS.CANCELING, STATUS.CANCELED)])
def test_a_run_that_has_been_silent_is_ended_and_says_why(
    orchestra: Any, lab: Any, monkeypatch: pytest.MonkeyPatch, before: STATUS, after: STATUS
) -> None:
    run_id = orchestra.add_run(before)
    assert find(orchestra) == 0  # it may be about to begin
    fall_silent(lab, monkeypatch)
    assert find(orchestra) == 1
    assert orchestra.instance.get_run_by_id(run_id).status == after
    messages = [entry.message for entry in orchestra.instance.all_logs(run_id)]
    assert any("This run was lost: its process has shown no sign of life for 30 seconds" in each for each in messages)
    assert find(orchestra) == 0


@pytest.mark.parametrize("status", [STATUS.NOT_STARTED, STATUS.QUEUED, STATUS.STARTING, STATUS.SUCCESS])
def test_a_run_that_waits_or_has_ended_is_left_alone(
    orchestra: Any, lab: Any, monkeypatch: pytest.MonkeyPatch, status: STATUS
) -> None:
    run_id = orchestra.add_run(status)
    find(orchestra)
    fall_silent(lab, monkeypatch)
    assert find(orchestra) == 0
    assert orchestra.instance.get_run_by_id(run_id).status == status


def test_runs_of_another_code_location_are_left_alone(
    orchestra: Any, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = orchestra.add_run(STATUS.STARTED, location="other_team")
    find(orchestra)
    fall_silent(lab, monkeypatch)
    assert find(orchestra) == 0
    assert orchestra.instance.get_run_by_id(run_id).status == STATUS.STARTED
    assert held(lab) == []


def test_the_instruments_sensor_waits_for_no_run_that_was_lost(
    orchestra: Any, lab: Any, microscope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(microscope, "scan_01.csv")
    run_id = orchestra.add_run(STATUS.STARTED)
    lab.wait(timedelta(minutes=5))
    orchestra.tick(microscope)
    lab.wait(timedelta(minutes=5))
    assert "is started" in orchestra.tick(microscope).skip_message
    fall_silent(lab, monkeypatch)
    orchestra.tick(microscope)
    assert orchestra.instance.get_run_by_id(run_id).status == STATUS.FAILURE


@pytest.mark.parametrize("job", ["harvest", "materialize", "sweep", "check"])
def test_every_job_holds_a_lease_from_its_first_op_to_its_last(
    orchestra: Any, lab: Any, microscope: Any, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    lab.write(microscope, "scan_01.csv")
    during: list[list[str]] = []
    wrapped = {
        "harvest": (run, "filter_files"),
        "materialize": (run, "enrich_files"),
        "sweep": (maintenance, "instruments_with_repairs"),
        "check": (checks, "fixity_state_of_instrument"),
    }
    module, name = wrapped[job]
    original = getattr(module, name)

    def watched(*arguments: Any, **named: Any) -> Any:
        during.append(held(lab))
        return original(*arguments, **named)

    monkeypatch.setattr(module, name, watched)
    start = {
        "harvest": lambda: orchestra.harvest(microscope.slug),
        "materialize": lambda: orchestra.materialize(microscope, partition=lab.day(1)),
        "sweep": orchestra.sweep,
        "check": orchestra.check,
    }
    start[job]()
    assert [len(leases) for leases in during] == [1] * len(during)
    assert during
    assert held(lab) == []


def test_a_run_that_fails_lets_go_of_its_lease(orchestra: Any, lab: Any) -> None:
    assert not orchestra.harvest("no_such_instrument").success
    assert held(lab) == []
