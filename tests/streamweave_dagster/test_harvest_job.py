"""The job ``harvest`` takes an instrument the whole way."""

from typing import Any

from sqlalchemy import select

from streamweave.catalog.tables import Instrument, Transfer
from streamweave.errors import ShareMissing


def test_it_harvests_everything_and_tells_of_each_day_it_touched(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    for days_ago in (1, 5):
        lab.write(microscope, f"{days_ago}.csv", days_ago=days_ago)
    result = orchestra.harvest(microscope.slug)
    assert result.success
    told = orchestra.materializations(result)
    assert list(told) == [lab.day(5), lab.day(1)]
    assert [row["path"] for row in told[lab.day(5)]["table"]] == ["share/5.csv"]


def test_its_steps_are_discover_filter_transfer_enrich_rehash(orchestra: Any, microscope: Instrument) -> None:
    result = orchestra.harvest(microscope.slug)
    steps = [event.step_key for event in result.all_events if event.is_step_start]
    assert steps == ["discover", "filter", "transfer", "enrich", "rehash"]


def test_nothing_to_do_is_a_success_without_materializations(orchestra: Any, microscope: Instrument) -> None:
    result = orchestra.harvest(microscope.slug)
    assert result.success
    assert orchestra.materializations(result) == {}


def test_its_transfers_know_the_run_that_made_them(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    result = orchestra.harvest(microscope.slug)
    with lab.sessions() as session:
        assert [transfer.run.dagster_run_id for transfer in session.scalars(select(Transfer))] == [result.run_id]


def test_an_unknown_instrument_fails_with_a_sentence_and_is_not_tried_again(orchestra: Any) -> None:
    result = orchestra.harvest("nowhere")
    assert "Instrument nowhere not found" in orchestra.complaint(result)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_share_that_is_not_there_fails_it_early(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.shares[microscope.slug].unreachable = ShareMissing("pc.example has no share 'share'")
    result = orchestra.harvest(microscope.slug)
    assert "pc.example has no share 'share'" in orchestra.complaint(result)
    assert [event.step_key for event in result.all_events if event.is_step_start] == ["discover"]


def test_an_emptied_share_fails_it_at_the_end(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    orchestra.harvest(microscope.slug)
    lab.shares[microscope.slug].remove("share/a.csv")
    result = orchestra.harvest(microscope.slug)
    assert "the share is empty, but 1 file should be on it" in orchestra.complaint(result)
    assert [event.step_key for event in result.all_events if event.is_step_start][-1] == "enrich"


def test_a_dead_run_is_tried_again_from_its_beginning_but_a_failed_one_is_not(lab: Any) -> None:
    tags = lab.definitions.resolve_job_def("harvest").tags
    assert tags["dagster/retry_strategy"] == "ALL_STEPS"
    assert tags["dagster/retry_on_asset_or_op_failure"] == "false"
