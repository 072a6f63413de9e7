import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamweave.instruments.acquisition import Acquisition, acquisition, known_timezone

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST_DAY = date(2020, 1, 1)

# clocks that change at night, at midnight (Havana), by half an hour (Lord Howe), by a whole day (Apia), and never
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]
zones = st.sampled_from(ZONES)
moments = st.integers(0, 90 * 365 * 86_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
days = st.dates(date(1970, 1, 2), date(2060, 1, 1))


def day_of(mtime: datetime, timezone: str = "UTC") -> Acquisition:
    return acquisition(mtime, timezone=timezone, first_day=FIRST_DAY, now=NOW)


def test_the_day_is_that_of_the_instruments_clock() -> None:
    late_evening_in_utc = datetime(2026, 2, 24, 23, 30, tzinfo=UTC)
    assert day_of(late_evening_in_utc) == Acquisition(date(2026, 2, 24))
    assert day_of(late_evening_in_utc, "Europe/Berlin") == Acquisition(date(2026, 2, 25))
    assert day_of(late_evening_in_utc, "America/New_York") == Acquisition(date(2026, 2, 24))


def test_a_clock_that_runs_ahead_is_on_record_even_within_today() -> None:
    assert day_of(NOW + timedelta(minutes=1)) == Acquisition(NOW.date(), 60.0)


def test_a_file_from_the_future_belongs_to_today() -> None:
    assert day_of(NOW + timedelta(days=2)) == Acquisition(NOW.date(), 172_800.0)


def test_a_file_from_before_the_first_day_belongs_to_the_first_day() -> None:
    assert day_of(datetime(2019, 12, 31, 23, 59, tzinfo=UTC)) == Acquisition(FIRST_DAY, -60.0)
    assert day_of(datetime(2019, 12, 31, 22, 59, tzinfo=UTC), "Europe/Berlin") == Acquisition(FIRST_DAY, -60.0)
    assert day_of(datetime(2019, 12, 31, 23, 0, tzinfo=UTC), "Europe/Berlin") == Acquisition(FIRST_DAY)


@pytest.mark.parametrize("day", [date.min, date(1601, 1, 1), date.max])
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_the_ends_of_time_are_clamped_as_well(day: date, timezone: str) -> None:
    found = day_of(datetime.combine(day, time(12), tzinfo=UTC), timezone)
    assert FIRST_DAY <= found.day <= date(2026, 11, 23)
    assert found.clock_skew_seconds


def test_a_first_day_that_lies_ahead_is_the_day() -> None:
    tomorrow = NOW.date() + timedelta(days=1)
    found = acquisition(NOW, timezone="UTC", first_day=tomorrow, now=NOW)
    assert found == Acquisition(tomorrow, -43_200.0)


def test_midnight_that_comes_twice_still_counts_as_before_the_first_day() -> None:
    second_half_past_eleven = datetime(2009, 11, 1, 3, 0, tzinfo=UTC)  # St. John's went from 0:01 back to 23:01
    found = acquisition(second_half_past_eleven, timezone="America/St_Johns", first_day=date(2009, 11, 1), now=NOW)
    assert found == Acquisition(date(2009, 11, 1), -1800.0)


@given(moments, zones, days, moments)
def test_the_day_lies_between_the_first_day_and_today(
    mtime: datetime, timezone: str, first_day: date, now: datetime
) -> None:
    found = acquisition(mtime, timezone=timezone, first_day=first_day, now=now)
    today = now.astimezone(zoneinfo.ZoneInfo(timezone)).date()
    assert first_day <= found.day <= max(first_day, today)


@given(moments, zones, days, moments)
def test_skew_is_positive_ahead_of_now_negative_before_the_first_day_and_else_none(
    mtime: datetime, timezone: str, first_day: date, now: datetime
) -> None:
    found = acquisition(mtime, timezone=timezone, first_day=first_day, now=now)
    local_day = mtime.astimezone(zoneinfo.ZoneInfo(timezone)).date()
    if mtime > now:
        assert found.clock_skew_seconds == (mtime - now).total_seconds()
    elif local_day < first_day:
        assert found.clock_skew_seconds is not None
        assert found.clock_skew_seconds < 0
    elif local_day > first_day:
        assert found == Acquisition(local_day)


@given(days, zones, st.integers(-7200, 7200))
def test_around_every_midnight_no_file_is_moved_to_another_day(day: date, timezone: str, seconds: int) -> None:
    zone = zoneinfo.ZoneInfo(timezone)
    mtime = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC) + timedelta(seconds=seconds)
    found = acquisition(mtime, timezone=timezone, first_day=date(1960, 1, 1), now=datetime(2061, 1, 1, tzinfo=UTC))
    assert found == Acquisition(mtime.astimezone(zone).date())


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_a_zone_of_the_iana_database_is_known(name: str) -> None:
    assert known_timezone(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "Europe/Atlantis",
        "europe/berlin",
        "../etc/passwd",
        "/etc/localtime",
        "UTC\0",
        "localtime",
        "Factory",
    ],
)
def test_anything_else_is_not(name: str) -> None:
    assert not known_timezone(name)
