"""Each enabled schedule of the catalog is a schedule of Dagster's."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from streamweave.catalog.tables import Schedule
from streamweave.instruments.schedules import cron_expression


def harvest_schedules(lab: Any) -> list[dg.ScheduleDefinition]:
    return [each for each in lab.definitions.schedules if each.name.startswith("harvest_")]


def test_it_carries_the_name_on_record_and_runs_the_harvest_of_its_instrument(
    lab: Any, instance: dg.DagsterInstance
) -> None:
    instrument = lab.add_instrument("Microscope 01", timezone="Europe/Berlin")
    with lab.sessions() as session:
        name = session.query(Schedule).one().dagster_schedule_name
    schedule = lab.definitions.resolve_schedule_def(name)
    assert (schedule.job_name, schedule.execution_timezone) == ("harvest", "Europe/Berlin")
    assert schedule.description == "Harvests Microscope 01 into archive."
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC))
    (request,) = schedule.evaluate_tick(context).run_requests
    assert request.run_config == {"ops": {"discover": {"config": {"instrument": instrument.slug}}}}
    assert request.tags["instrument"] == instrument.slug


@pytest.mark.parametrize(("hour", "requests"), [(18, 0), (20, 1)])
def test_it_requests_nothing_outside_the_hours_of_its_instrument(
    lab: Any, instance: dg.DagsterInstance, hour: int, requests: int
) -> None:
    lab.add_instrument("Microscope 01", transfer_config={"hours": ["19:00-07:00"]})
    (schedule,) = harvest_schedules(lab)
    moment = datetime(2026, 3, 2, hour, tzinfo=UTC)
    tick = schedule.evaluate_tick(dg.build_schedule_context(instance=instance, scheduled_execution_time=moment))
    assert len(tick.run_requests or []) == requests
    if not requests:
        assert "nothing more is copied before 2026-03-02 19:00 UTC" in (tick.skip_message or "")


def test_a_disabled_schedule_is_none_of_dagsters(lab: Any, microscope: Any) -> None:
    lab.add_schedule(microscope, enabled=False)
    assert len(harvest_schedules(lab)) == 1


def test_the_schedule_of_a_disabled_instrument_rests(lab: Any) -> None:
    lab.add_instrument("Microscope 01", enabled=False)
    (schedule,) = harvest_schedules(lab)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize(
    "cron",
    ["* * * * *", "*/15 8-18 * * 1-5", "0 3 1 * *", "59 23 31 12 7", "0 0 29 2 *", "0 6 * JAN,JUL MON#1", "5 4 L * *"],
)
def test_dagster_accepts_every_line_that_the_catalog_accepts(lab: Any, cron: str) -> None:
    assert cron_expression("cron_expression", cron) == cron
    lab.add_schedule(lab.add_instrument("Microscope 01", scheduled=False), cron_expression=cron)
    (schedule,) = harvest_schedules(lab)
    assert schedule.cron_schedule == cron
