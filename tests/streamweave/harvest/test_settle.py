"""Settling: judged purely, and over a real catalog."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.harvest.run import scan
from streamweave.harvest.settle import Observation, judge

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INSTRUMENT = Instrument(quiet_period_seconds=60, max_wait_seconds=3_600, marker_suffix=".done")


def observation(quiet_seconds: float, **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "unchanged_since": NOON - timedelta(seconds=quiet_seconds),
        "observed_at": NOON,
        "watched_since": NOON - timedelta(seconds=quiet_seconds),
        "is_overdue": False,
        "marker_exists": True,
        "has_open_writer": False,
    }
    return Observation(**{**values, **changes})


@given(st.floats(60, 3_000))
def test_a_file_has_settled_after_its_quiet_period(seconds: float) -> None:
    assert judge(observation(seconds), INSTRUMENT, NOON).state == VersionState.SETTLED


@given(st.floats(0, 59.9))
def test_a_file_seen_for_less_than_the_quiet_period_still_settles(seconds: float) -> None:
    assert judge(observation(seconds), INSTRUMENT, NOON).state == VersionState.SETTLING


def test_one_look_settles_nothing_however_long_ago_it_was() -> None:
    once = observation(0, watched_since=NOON - timedelta(seconds=1_000))
    assert judge(once, INSTRUMENT, NOON + timedelta(seconds=1_000)).state == VersionState.SETTLING


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"marker_exists": False}, "its marker file (its name + '.done') is not there yet"),
        ({"has_open_writer": True}, "still open for writing at the instrument"),
    ],
)
def test_a_quiet_file_with_an_obstacle_waits_and_says_for_what(change: dict[str, bool], reason: str) -> None:
    judgement = judge(observation(120, **change), INSTRUMENT, NOON)
    assert (judgement.state, judgement.reason) == (VersionState.SETTLING, reason)


def test_a_file_that_is_not_finished_after_the_maximum_wait_is_overdue() -> None:
    ever_changing = observation(1, watched_since=NOON - timedelta(seconds=3_601))
    judgement = judge(ever_changing, INSTRUMENT, NOON)
    assert judgement.state == VersionState.OVERDUE
    assert judgement.reason.startswith("not finished after 3600 s: ")


def test_an_overdue_file_that_becomes_quiet_settles_after_all() -> None:
    assert judge(observation(60, is_overdue=True), INSTRUMENT, NOON).state == VersionState.SETTLED


def test_an_ever_changing_file_becomes_overdue_although_each_change_restarts_the_quiet_period(bench: Any) -> None:
    bench.change(bench.instrument, max_wait_seconds=30)
    for size in range(1, 12):
        bench.write("microscope/endless.log", b"x" * size)
        scan(bench.facility, bench.instrument)
        bench.clock.wait(4)

    assert bench.version("microscope/endless.log").state == VersionState.OVERDUE


def test_a_marker_file_releases_its_file_and_is_no_obstacle_to_itself(bench: Any) -> None:
    bench.change(bench.instrument, marker_suffix=".done")
    bench.write("microscope/a.raw")
    bench.harvest()
    assert bench.states() == {"microscope/a.raw": VersionState.SETTLING}

    bench.write("microscope/a.raw.done", b"")
    bench.harvest()

    assert set(bench.states().values()) == {VersionState.ARCHIVED}


def test_a_file_that_is_open_for_writing_waits_where_the_instrument_asks_for_the_probe(bench: Any) -> None:
    bench.change(bench.instrument, probe_open_writer=True)
    bench.write("microscope/a.raw")
    bench.laboratory.open_writers.add("microscope/a.raw")
    bench.harvest()
    assert bench.version("microscope/a.raw").reason == "still open for writing at the instrument"

    bench.laboratory.open_writers.clear()
    bench.harvest()

    assert bench.states() == {"microscope/a.raw": VersionState.ARCHIVED}
