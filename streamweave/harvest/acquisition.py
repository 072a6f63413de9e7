"""The acquisition day: the day on which an instrument wrote a file, by the calendar on its wall."""

import functools
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The partition a file belongs to.

    ``clock_skew_seconds`` is how far its mtime lay ahead of our clock (positive) or before the first acquisition day
    began (negative); None means that neither is so.
    """

    day: date
    clock_skew_seconds: float | None = None


def acquisition(mtime: datetime, *, timezone: str, first_day: date, now: datetime) -> Acquisition:
    """The day of ``mtime`` in the instrument's time zone, clamped to ``first_day`` … today, both included.

    ``mtime`` and ``now`` are aware; ``timezone`` satisfies ``known_timezone``. Should ``first_day`` still lie ahead, it
    is the day.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    if mtime > now:
        return Acquisition(max(first_day, today), (mtime - now).total_seconds())
    if mtime < (beginning := _beginning(first_day, zone)):
        return Acquisition(first_day, (mtime - beginning).total_seconds())
    return Acquisition(max(first_day, mtime.astimezone(zone).date()))


def known_timezone(name: str) -> bool:
    """Whether ``name`` is in the IANA time zone database, exactly as written there."""
    return name in timezones()


def day_exists(day: date, timezone: str) -> bool:
    """Whether the calendar of that time zone had this day: west of the date line some crossed it overnight.

    Samoa (Pacific/Apia) went from 2011-12-29 to 2011-12-31.
    """
    noon = datetime.combine(day, time(12), tzinfo=ZoneInfo(timezone))
    return noon.astimezone(UTC).astimezone(noon.tzinfo).date() == day


@functools.lru_cache(maxsize=64)  # asked for every file, of a few instruments
def _beginning(day: date, zone: ZoneInfo) -> datetime:
    # Where clocks change at midnight it happens twice or never; the later reading is the one after which the day lasts.
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    return max(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


@functools.cache
def timezones() -> frozenset[str]:
    """The names in the IANA time zone database."""
    # these two are files of the system's database, not zones: one means another place on every machine, one means none
    return frozenset(zoneinfo.available_timezones() - {"localtime", "Factory"})
