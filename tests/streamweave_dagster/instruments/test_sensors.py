"""A sensor looks at its instrument's share, says what it saw, and requests runs for the days that have work."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import update

from streamweave.catalog.tables import Instrument, Scan, StorageLocation
from streamweave.errors import CredentialsRefused, SourceUnreachable
from streamweave.harvest.instrument_changes import update_instrument
from streamweave_dagster.failures import TickFailed

QUIET = timedelta(seconds=61)


def settle(lab: Any, orchestra: Any, instrument: Instrument) -> Any:
    """The first tick that can know that files have settled."""
    orchestra.tick(instrument)
    lab.wait(QUIET)
    return orchestra.tick(instrument)


def change(lab: Any, instrument: Instrument, **fields: object) -> None:
    with lab.sessions.begin() as session:
        update_instrument(session, instrument.id, fields)


def test_an_empty_share_has_nothing_to_harvest(orchestra: Any, microscope: Instrument) -> None:
    tick = orchestra.tick(microscope)
    assert tick.run_requests == []
    assert tick.skip_message == "0 files in 1 folder: 0 new, 0 changed; nothing to harvest"


def test_new_files_are_reported_while_they_settle(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    tick = orchestra.tick(microscope)
    assert tick.skip_message == "1 file in 1 folder: 1 new, 0 changed; 1 still settling"


def test_settled_files_get_a_run_for_their_day(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv", days_ago=2)
    tick = settle(lab, orchestra, microscope)
    (request,) = tick.run_requests
    assert request.partition_key == lab.day(2)
    assert request.tags["instrument"] == "microscope_01"
    assert request.run_key is None
    assert request.asset_check_keys == []
    assert tick.cursor.endswith(f"UTC: 1 file in 1 folder: 0 new, 0 changed; requested {lab.day(2)}")


def test_outside_the_instruments_hours_no_run_is_requested(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    wall = lab.now().hour
    change(lab, microscope, transfer_config={"hours": [f"{(wall + 5) % 24:02}:00-{(wall + 6) % 24:02}:00"]})
    tick = settle(lab, orchestra, microscope)
    assert tick.run_requests == []
    assert "outside the instrument's hours: nothing more is copied before" in tick.skip_message
    change(lab, microscope, transfer_config=None)
    assert len(orchestra.tick(microscope).run_requests) == 1


def test_days_in_a_row_become_one_run(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    for days_ago in (2, 3, 4, 7):
        lab.write(microscope, f"{days_ago}.csv", days_ago=days_ago)
    alone, row = settle(lab, orchestra, microscope).run_requests
    assert alone.partition_key == lab.day(7)
    assert row.partition_key is None
    assert row.tags["dagster/asset_partition_range_start"] == lab.day(4)
    assert row.tags["dagster/asset_partition_range_end"] == lab.day(2)


def test_what_it_requests_is_what_a_run_can_do(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    for days_ago in (2, 3):
        lab.write(microscope, f"{days_ago}.csv", days_ago=days_ago)
    (request,) = settle(lab, orchestra, microscope).run_requests
    tags = {name.removeprefix("dagster/"): value for name, value in request.tags.items() if "/" in name}
    told = orchestra.materializations(orchestra.materialize(microscope, **tags))
    assert {day: each["files"] for day, each in told.items()} == {lab.day(3): 1, lab.day(2): 1}
    assert orchestra.tick(microscope).skip_message.endswith("nothing to harvest")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_nothing_is_requested_while_a_run_is_under_way(
    lab: Any, orchestra: Any, microscope: Instrument, status: dg.DagsterRunStatus
) -> None:
    lab.write(microscope, "a.csv")
    run_id = orchestra.add_run(status)
    tick = settle(lab, orchestra, microscope)
    assert tick.run_requests == []
    assert tick.skip_message.endswith(f"nothing requested while the run {run_id[:8]} is {status.value.lower()}")


def test_another_instruments_run_hinders_nothing(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    orchestra.add_run(dg.DagsterRunStatus.STARTED, "another")
    assert len(settle(lab, orchestra, microscope).run_requests) == 1


def test_after_a_failed_run_it_waits_a_while(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    change(lab, microscope, retry_delay_seconds=300)
    lab.write(microscope, "a.csv")
    orchestra.add_run(dg.DagsterRunStatus.FAILURE)
    tick = settle(lab, orchestra, microscope)
    assert tick.run_requests == []
    assert "the last run failed: nothing requested before" in tick.skip_message
    lab.wait(timedelta(seconds=300))
    assert len(orchestra.tick(microscope).run_requests) == 1


def test_the_wait_grows_with_each_failed_run(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    change(lab, microscope, retry_delay_seconds=300)
    lab.write(microscope, "a.csv")
    for _ in range(3):
        orchestra.add_run(dg.DagsterRunStatus.FAILURE)
    settle(lab, orchestra, microscope)
    lab.wait(timedelta(seconds=600))
    assert orchestra.tick(microscope).run_requests == []
    lab.wait(timedelta(seconds=600))
    assert len(orchestra.tick(microscope).run_requests) == 1


def test_files_without_a_destination_wait_and_it_says_so(lab: Any, orchestra: Any) -> None:
    instrument = lab.add_instrument("Spectrometer", scheduled=False)
    lab.write(instrument, "a.csv")
    tick = settle(lab, orchestra, instrument)
    assert tick.run_requests == []
    assert "1 wait: no enabled schedule names a storage location" in tick.skip_message


def test_files_whose_storage_location_is_disabled_wait_and_it_says_so(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    with lab.sessions.begin() as session:
        session.execute(update(StorageLocation).values(enabled=False))
    lab.write(microscope, "a.csv")
    tick = settle(lab, orchestra, microscope)
    assert tick.run_requests == []
    assert "1 wait: the storage location" in tick.skip_message
    assert "is disabled, and no enabled schedule names another one" in tick.skip_message


def test_a_share_out_of_reach_is_a_red_tick_with_one_sentence(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.shares[microscope.slug].unreachable = SourceUnreachable("pc.example does not answer")
    with pytest.raises(TickFailed, match=r"^pc\.example does not answer$") as caught:
        orchestra.tick(microscope)
    assert caught.value.__suppress_context__


def test_an_emptied_share_is_a_red_tick(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    settle(lab, orchestra, microscope)
    orchestra.materialize(microscope, partition=lab.day(1))
    lab.shares[microscope.slug].remove("share/a.csv")
    with pytest.raises(TickFailed, match="the share is empty, but 1 file should be on it"):
        orchestra.tick(microscope)


def test_refused_credentials_are_not_tried_again_until_something_changes(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    lab.shares[microscope.slug].unreachable = CredentialsRefused("pc.example refuses the account 'labuser'")
    for _ in range(3):
        with pytest.raises(TickFailed, match="refuses the account"):
            orchestra.tick(microscope)
    with lab.sessions() as session:
        assert session.query(Scan).count() == 1
    lab.shares[microscope.slug].unreachable = None
    lab.wait(timedelta(minutes=61))
    assert orchestra.tick(microscope).skip_message.endswith("nothing to harvest")


def test_a_changed_instrument_ends_the_wait_after_refused_credentials(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    share = lab.shares[microscope.slug]
    share.unreachable = CredentialsRefused("pc.example refuses the account 'labuser'")
    with pytest.raises(TickFailed):
        orchestra.tick(microscope)
    share.unreachable = None
    change(lab, microscope, description="its account is right now")
    assert orchestra.tick(microscope).skip_message.endswith("nothing to harvest")


def test_a_disabled_instrument_is_left_alone(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    orchestra.tick(microscope)
    change(lab, microscope, enabled=False)
    assert orchestra.tick(microscope).skip_message == "the instrument is disabled"
    with lab.sessions() as session:
        assert session.query(Scan).count() == 1


def test_the_instruments_row_sets_interval_and_state(lab: Any) -> None:
    lab.add_instrument("On", poll_interval_seconds=7)
    lab.add_instrument("Off", enabled=False)
    on, off = (lab.definitions.resolve_sensor_def(f"new_files_{slug}") for slug in ("on", "off"))
    assert on.minimum_interval_seconds == 6
    assert on.default_status == dg.DefaultSensorStatus.RUNNING
    assert off.default_status == dg.DefaultSensorStatus.STOPPED


def test_files_from_before_the_first_day_are_left_to_a_scheduled_harvest(lab: Any, orchestra: Any) -> None:
    instrument = lab.add_instrument("Microscope 01")
    lab.write(instrument, "old.csv", days_ago=9)
    settle(lab, orchestra, instrument)
    change(lab, instrument, first_acquisition_day=lab.day(5))
    assert orchestra.tick(instrument).skip_message.endswith(
        "1 days before the first partition wait for a scheduled harvest"
    )
    told = orchestra.materializations(orchestra.harvest(instrument.slug))
    assert told[lab.day(9)]["files"] == 1
