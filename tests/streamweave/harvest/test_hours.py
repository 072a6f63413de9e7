"""Hours in which an instrument may be harvested."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.catalog.tables import VersionState
from streamweave.instruments.acquisition import Span, opens_at, span

NIGHT = [span("19:00-07:00")]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("19:00-07:00", Span(time(19), time(7))),
        ("08:30-12:00", Span(time(8, 30), time(12))),
        ("20:00-24:00", Span(time(20), time(0))),
        ("00:00-24:00", Span(time(0), time(0))),
    ],
)
def test_a_span_is_read(text: str, read: Span) -> None:
    assert span(text) == read


@pytest.mark.parametrize("text", ["", "19-7", "19:00", "24:00-07:00", "19:00-25:00", "19:60-07:00", "٠٩:00-10:00"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of hours like 19:00-07:00"):
        span(text)


def test_a_span_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="ends when it begins"):
        span("07:00-07:00")


def test_without_hours_it_is_always_open() -> None:
    assert opens_at([], "UTC", datetime(2026, 3, 2, 12, tzinfo=UTC)) is None


@pytest.mark.parametrize(("hour", "is_open"), [(18, False), (19, True), (23, True), (0, True), (6, True), (7, False)])
def test_a_night_goes_on_past_midnight(hour: int, is_open: bool) -> None:
    opening = opens_at(NIGHT, "UTC", datetime(2026, 3, 2, hour, tzinfo=UTC))
    assert opening == (None if is_open else datetime(2026, 3, 2, 19, tzinfo=UTC))


def test_the_clock_is_the_one_on_the_instruments_wall() -> None:
    noon_in_summer = datetime(2026, 7, 1, 10, tzinfo=UTC)
    opening = opens_at(NIGHT, "Europe/Berlin", noon_in_summer)
    assert opening == datetime(2026, 7, 1, 17, tzinfo=UTC)
    assert f"{opening:%H:%M %Z}" == "19:00 CEST"


times = st.times().map(lambda each: each.replace(second=0, microsecond=0))
moments = st.integers(0, 10 * 366 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])


@given(st.lists(st.builds(Span, times, times), min_size=1, max_size=3), zones, moments)
def test_it_opens_within_a_day_and_is_open_then(hours: list[Span], zone: str, now: datetime) -> None:
    opening = opens_at(hours, zone, now)
    if opening is not None:
        assert now < opening <= now + timedelta(hours=25)
        assert opens_at(hours, zone, opening) is None


def test_an_hour_that_the_clock_leaves_out_comes_on_the_next_day() -> None:
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert opens_at([span("02:00-03:00")], "Europe/Berlin", evening) == datetime(2026, 3, 30, 0, tzinfo=UTC)
    assert opens_at([span("02:00-03:00"), span("05:00-06:00")], "Europe/Berlin", evening) == datetime(
        2026, 3, 29, 3, tzinfo=UTC
    )
    before_the_date_line = datetime(2011, 12, 30, 9, tzinfo=UTC)  # 23:00 of the 29th; the next hour is of the 31st
    assert opens_at([span("22:00-22:30")], "Pacific/Apia", before_the_date_line) == datetime(
        2011, 12, 31, 8, tzinfo=UTC
    )


def test_outside_its_hours_an_instrument_is_looked_at_but_nothing_is_copied(bench: Any) -> None:
    bench.change(bench.instrument, transfer_config={"hours": ["19:00-07:00"]})
    bench.write("microscope/a.csv")

    report = bench.harvest()

    assert report.pause == "outside the instrument's hours: nothing more is copied before 2026-03-02 19:00 UTC"
    assert report.troubles == []
    assert bench.states() == {"microscope/a.csv": VersionState.PENDING}
    assert bench.archived() == {}
    bench.clock.wait(7 * 3600)
    assert bench.harvest().counts == {VersionState.ARCHIVED: 1}


def test_a_file_under_way_is_finished_when_the_hours_end_and_those_behind_it_wait(bench: Any) -> None:
    bench.change(bench.instrument, transfer_config={"hours": ["06:00-13:00"], "connections": 1})
    large = b"x" * (3 << 20)
    bench.write("microscope/a.raw", large)
    bench.write("microscope/b.raw", large)
    bench.laboratory.while_reading = lambda path: setattr(bench.clock, "time", datetime(2026, 3, 2, 13, tzinfo=UTC))

    report = bench.harvest()

    assert report.pause.endswith("before 2026-03-03 06:00 UTC")
    assert sorted(bench.states().values()) == [VersionState.ARCHIVED, VersionState.PENDING]
    assert bench.staged() == []
