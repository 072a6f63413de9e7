"""Partitions are an instrument's acquisition days."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.catalog.tables import Instrument
from streamweave_dagster.harvest import Span, acquisition_days, spans


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles", "America/Santiago"])
def test_they_reach_from_the_first_day_to_today_on_the_instruments_wall(timezone: str) -> None:
    instrument = Instrument(first_acquisition_day=date(2026, 1, 31), timezone=timezone)
    days = acquisition_days(instrument).get_partition_keys()
    assert days[0] == "2026-01-31"
    assert days[-1] == datetime.now(UTC).astimezone(ZoneInfo(timezone)).date().isoformat()
    assert len(days) == (date.fromisoformat(days[-1]) - date(2026, 1, 31)).days + 1


@given(st.lists(st.dates(date(2026, 1, 1), date(2026, 2, 28))))
def test_spans_hold_exactly_the_given_days_and_never_touch(days: list[date]) -> None:
    found = spans(days, at_most=len(days))
    held = [each.first + timedelta(n) for each in found for n in range((each.last - each.first).days + 1)]
    assert held == sorted(set(days))
    assert all(later.first - earlier.last > timedelta(days=1) for earlier, later in pairwise(found))


def test_too_many_spans_become_one() -> None:
    days = [date(2026, 1, day) for day in (1, 3, 5)]
    assert len(spans(days, at_most=3)) == 3
    assert spans(days, at_most=2) == [Span(date(2026, 1, 1), date(2026, 1, 5))]
