"""An instrument's calendar, in its local time: the acquisition day of a file, and the hours of harvesting. Pure.

Hours are spans ``HH:MM-HH:MM``. A span whose end is not after its beginning continues past midnight; spans may overlap;
the end itself is outside.
"""

import functools
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` to before ``end``, every day, in local time."""

    begin: time
    end: time

    def holds(self, moment: time) -> bool:
        """Whether it lasts at that time of day."""
        if self.begin < self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


def span(text: str) -> Span:
    """``HH:MM-HH:MM`` read; ``24:00`` is midnight. Raises ``ValueError`` for anything else, or a span of no length."""
    match = SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a span of hours like 19:00-07:00")
    begin_hour, begin_minute, end_hour, end_minute = (int(part or 0) for part in match.groups())
    read = Span(time(begin_hour, begin_minute), time(end_hour, end_minute))
    if read.begin == read.end and not text.endswith("24:00"):
        raise ValueError(f"{text!r} ends when it begins; leave the hours out to harvest at any time")
    return read


def opens_at(hours: Sequence[Span], timezone: str, now: datetime) -> datetime | None:
    """When harvesting may resume, in local time; None if it may run now, and always so without ``hours``."""
    if not hours:
        return None
    wall = ZoneInfo(timezone)
    here = now.astimezone(wall)
    if any(each.holds(here.time()) for each in hours):
        return None
    begins = sorted(
        datetime.combine(here.date() + timedelta(days=days), each.begin, wall).astimezone(UTC).astimezone(wall)
        for each in hours
        for days in (0, 1, 2)
    )
    # where clocks are put forward, a day has no such hour: then its beginning lies outside, and the next day's counts
    return next(begin for begin in begins if begin > now and any(each.holds(begin.time()) for each in hours))
