"""Materializing an instrument's asset harvests acquisition days."""

from typing import Any

from streamweave.catalog.tables import Instrument
from streamweave.errors import CredentialsRefused, FileDenied, SourceUnreachable
from streamweave.hooks.configuration import create_hook


def test_a_materialized_partition_shows_what_was_done_for_each_of_its_files(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    lab.write(microscope, "a.csv", b"12345", days_ago=1)
    lab.write(microscope, "other-day.csv", b"1", days_ago=3)
    result = orchestra.materialize(microscope, partition=lab.day(1))
    assert result.success
    told = orchestra.materializations(result)
    assert list(told) == [lab.day(1)]
    day = told[lab.day(1)]
    assert (day["files"], day["bytes"], day["skipped"], day["waiting"], day["failed"]) == (1, 5, 0, 0, 0)
    assert day["files_per_second"] > 0
    destination = lab.archive / "Microscope 01" / "share" / "a.csv"
    assert day["table"] == [
        {"path": "share/a.csv", "state": "archived", "bytes": 5, "reason": "", "destination": str(destination)}
    ]
    assert destination.read_bytes() == b"12345"


def test_the_graph_reads_filter_transfer_enrich(orchestra: Any, microscope: Instrument, lab: Any) -> None:
    result = orchestra.materialize(microscope, partition=lab.day(1))
    steps = [event.step_key for event in result.all_events if event.is_step_start]
    assert steps == [f"instruments__microscope_01.{name}" for name in ("filter", "transfer", "enrich")]


def test_todays_files_have_a_partition_already(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "today.csv", days_ago=0)
    told = orchestra.materializations(orchestra.materialize(microscope, partition=lab.day(0)))
    assert told[lab.day(0)]["files"] == 1


def test_a_range_of_partitions_is_one_run_that_tells_of_each_day_by_itself(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    for days_ago, content in ((2, b"22"), (4, b"4444")):
        lab.write(microscope, f"{days_ago}.csv", content, days_ago=days_ago)
    result = orchestra.materialize(
        microscope, asset_partition_range_start=lab.day(4), asset_partition_range_end=lab.day(2)
    )
    told = orchestra.materializations(result)
    assert {day: (each["files"], each["bytes"]) for day, each in told.items()} == {
        lab.day(4): (1, 4),
        lab.day(3): (0, 0),
        lab.day(2): (1, 2),
    }


def test_what_waits_is_skipped_or_fails_is_in_the_table_with_its_reason(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    with lab.sessions.begin() as session:
        create_hook(
            session,
            {
                "name": "no temporary files",
                "trigger": "pre_transfer",
                "builtin_name": "file_filter",
                "config": {"exclude_patterns": ["*.tmp"]},
            },
        )
    for name in ("good.csv", "junk.tmp", "denied.csv"):
        lab.write(microscope, name)
    lab.shares[microscope.slug].file_faults["share/denied.csv"] = FileDenied("the account may not read it")
    day = orchestra.materializations(orchestra.materialize(microscope, partition=lab.day(1)))[lab.day(1)]
    assert (day["files"], day["skipped"], day["failed"]) == (1, 1, 1)
    reasons = {row["path"]: (row["state"], row["reason"]) for row in day["table"]}
    assert reasons["share/denied.csv"] == ("failed", "the account may not read it")
    state, reason = reasons["share/junk.tmp"]
    assert state == "skipped"
    assert "*.tmp" in reason


def test_a_file_that_failed_earlier_is_still_shown_by_a_run_that_does_not_touch_it(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    lab.write(microscope, "denied.csv")
    lab.shares[microscope.slug].file_faults["share/denied.csv"] = FileDenied("the account may not read it")
    orchestra.materialize(microscope, partition=lab.day(1))
    day = orchestra.materializations(orchestra.materialize(microscope, partition=lab.day(1)))[lab.day(1)]
    assert (day["files"], day["failed"]) == (0, 1)
    assert [row["path"] for row in day["table"]] == ["share/denied.csv"]


def test_a_run_that_a_person_starts_looks_at_the_share_first(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "a.csv")
    unseen = orchestra.materialize(microscope, partition=lab.day(1), sensor_name="new_files_microscope_01")
    assert orchestra.materializations(unseen)[lab.day(1)]["files"] == 0
    seen = orchestra.materialize(microscope, partition=lab.day(1))
    assert orchestra.materializations(seen)[lab.day(1)]["files"] == 1


def test_a_run_that_a_person_starts_says_which_instrument_it_harvests(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    result = orchestra.materialize(microscope, partition=lab.day(1))
    tags = orchestra.instance.get_run_by_id(result.run_id).tags
    assert (tags["instrument"], tags["dagster/retry_strategy"]) == ("microscope_01", "ALL_STEPS")


def test_a_share_that_refuses_us_fails_the_run_with_the_sentence_alone_and_without_another_try(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    lab.shares[microscope.slug].unreachable = CredentialsRefused("pc.example refuses the account 'labuser'")
    result = orchestra.materialize(microscope, partition=lab.day(1))
    assert "pc.example refuses the account 'labuser'" in orchestra.complaint(result)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_a_run_that_lost_the_share_tells_what_it_did_and_then_fails(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    share = lab.shares[microscope.slug]
    lab.write(microscope, "a.csv")

    def lose(path: str) -> None:
        share.unreachable = SourceUnreachable("pc.example does not answer")

    share.while_reading = lose
    result = orchestra.materialize(microscope, partition=lab.day(1))
    assert "pc.example does not answer" in orchestra.complaint(result)
    day = orchestra.materializations(result)[lab.day(1)]
    assert (day["files"], day["waiting"]) == (0, 1)
    assert [(row["path"], row["state"]) for row in day["table"]] == [("share/a.csv", "pending")]


def test_a_share_that_was_emptied_raises_an_alarm_after_the_rest_was_done(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    lab.write(microscope, "a.csv")
    orchestra.materialize(microscope, partition=lab.day(1))
    lab.shares[microscope.slug].remove("share/a.csv")
    result = orchestra.materialize(microscope, partition=lab.day(1))
    assert "the share is empty, but 1 file should be on it" in orchestra.complaint(result)
    assert list(orchestra.materializations(result)) == [lab.day(1)]
