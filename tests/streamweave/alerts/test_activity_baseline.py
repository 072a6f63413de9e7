"""What is usual for an instrument, learned from its past alone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamweave.alerts.activity_baseline import FEWEST_GAPS, ActivityBaseline, activity_baseline, working_time

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 1, 5)
WORKDAYS = {0, 1, 2, 3, 4}


def at(day: date, hour: int, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=zone).astimezone(UTC)


def worked(weekdays: set[int], weeks: int = 12) -> list[datetime]:
    days = (MONDAY + timedelta(days=number) for number in range(7 * weeks))
    return [at(day, hour) for day in days if day.weekday() in weekdays for hour in (9, 16)]


def silent_after(discoveries: list[datetime], zone: ZoneInfo = BERLIN) -> timedelta:
    """How long after its last file an instrument becomes silent, to the hour."""
    learned = activity_baseline(discoveries, zone)
    assert learned is not None
    last = max(discoveries)
    return next(hours for hours in map(at_hours, range(10_000)) if learned.is_silent(last, last + hours, zone))


def at_hours(hours: int) -> timedelta:
    return timedelta(hours=hours)


def test_an_instrument_that_works_daily_is_silent_after_a_day_and_a_half() -> None:
    assert silent_after(worked(set(range(7)))) == timedelta(hours=37)


def test_a_weekend_on_which_it_never_works_counts_for_nothing() -> None:
    discoveries = worked(WORKDAYS)
    friday = max(discoveries).astimezone(BERLIN)
    assert friday.weekday() == 4
    # 8 hours are left of Friday; with Monday's and 4 of Tuesday's they are 36. Summer time began on that Sunday.
    weekend = 24 + 23
    assert silent_after(discoveries) == timedelta(hours=8 + weekend + 24 + 4 + 1)


def test_a_weekend_on_which_it_worked_once_counts() -> None:
    discoveries = [*worked(WORKDAYS), at(MONDAY + timedelta(days=5), 9), at(MONDAY + timedelta(days=13), 9)]
    assert silent_after(discoveries) >= timedelta(days=3 * 1.5)


def test_an_instrument_that_works_once_a_week_may_be_silent_for_a_week() -> None:
    discoveries = worked({1}, weeks=13)
    assert silent_after(discoveries) == timedelta(days=10.5, hours=1)


def test_one_long_holiday_is_an_exception() -> None:
    discoveries = worked(set(range(7)))
    holiday = [
        each
        for each in discoveries
        if not at(MONDAY, 0) + timedelta(days=20) < each < at(MONDAY, 0) + timedelta(days=34)
    ]
    assert silent_after(holiday) == silent_after(discoveries)


def test_too_little_history_says_nothing() -> None:
    days = [at(MONDAY + timedelta(days=number), 9) for number in range(FEWEST_GAPS + 1)]
    assert activity_baseline(days[:-1], BERLIN) is None
    assert activity_baseline(days[:1] * 1000, BERLIN) is None
    assert activity_baseline([], BERLIN) is None
    assert activity_baseline(days, BERLIN) is not None


def test_a_few_days_of_history_do_not_make_a_weekend() -> None:
    learned = activity_baseline(worked(WORKDAYS, weeks=3), BERLIN)
    assert learned is not None
    assert learned.resting == frozenset()


times = st.timedeltas(timedelta(), timedelta(days=700)).map(lambda since: datetime(2025, 1, 1, tzinfo=UTC) + since)
zones = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")])
rests = st.sets(st.integers(0, 6), max_size=6).map(frozenset)
quickly = settings(max_examples=50, deadline=None)
discovered = st.lists(times, min_size=12, max_size=30)


@quickly
@given(since=times, until=times, zone=zones, resting=rests)
def test_working_time_is_no_longer_than_time(
    since: datetime, until: datetime, zone: ZoneInfo, resting: frozenset[int]
) -> None:
    worked = working_time(since, until, zone, resting)
    assert timedelta() <= worked <= max(until - since, timedelta())
    if not resting:
        assert worked == max(until - since, timedelta())


@quickly
@given(moments=st.lists(times, min_size=3, max_size=3).map(sorted), zone=zones, resting=rests)
def test_working_time_adds_up(moments: list[datetime], zone: ZoneInfo, resting: frozenset[int]) -> None:
    first, middle, last = moments
    parts = working_time(first, middle, zone, resting) + working_time(middle, last, zone, resting)
    assert working_time(first, last, zone, resting) == parts


@quickly
@given(days=st.floats(1.5, 60), zone=zones, resting=rests, since=times)
def test_whoever_is_silent_stays_so_and_becomes_so(
    days: float, zone: ZoneInfo, resting: frozenset[int], since: datetime
) -> None:
    learned = ActivityBaseline(days, resting)
    assert not learned.is_silent(since, since + timedelta(days=days), zone)
    assert learned.is_silent(since, since + timedelta(weeks=days + 2), zone)
    assert learned.is_silent(since, since + timedelta(days=20_000), zone)


@quickly
@given(discoveries=discovered, zone=zones)
def test_what_is_learned_neither_depends_on_order_nor_on_how_often(discoveries: list[datetime], zone: ZoneInfo) -> None:
    assert activity_baseline(discoveries, zone) == activity_baseline([*reversed(discoveries), *discoveries], zone)


@quickly
@given(discoveries=discovered, zone=zones)
def test_an_instrument_never_rests_on_a_day_on_which_it_worked(discoveries: list[datetime], zone: ZoneInfo) -> None:
    learned = activity_baseline(discoveries, zone)
    if learned is not None:
        assert learned.working_days >= 1.5
        assert learned.resting.isdisjoint({each.astimezone(zone).weekday() for each in discoveries})


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana"])
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(zone: str) -> None:
    spring, autumn = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 12))
    assert working_time(spring, autumn, ZoneInfo(zone), ()) == autumn - spring
