"""FILETIME, the time of Windows: 100 ns ticks since 1601-01-01 UTC ([MS-DTYP] 2.3.3)."""

from datetime import UTC, datetime, timedelta

FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_END_OF_TIME = 2_650_467_744_000_000_000  # 10000-01-01
LATEST = datetime(9999, 12, 30, tzinfo=UTC)  # a day of room, so that it can be shown in every time zone


def is_possible(ticks: int) -> bool:
    """Whether it is a time that a file can have: not negative as the protocol reads it, and before the year 10000."""
    return ticks < _END_OF_TIME


def from_filetime(ticks: int) -> datetime:
    """The time in UTC, to the microsecond; what Python can't express becomes the last day it can."""
    try:
        return min(FILETIME_EPOCH + timedelta(microseconds=ticks // 10), LATEST)
    except OverflowError:
        return LATEST
