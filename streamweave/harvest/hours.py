"""Hours in which an instrument may be harvested, as ``HH:MM-HH:MM`` by the clock on its wall. Pure.

A span whose end is not after its beginning goes on past midnight. Several spans may overlap. The end itself is outside.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` to before ``end``, every day, by the wall's clock."""

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
    """When harvesting may go on, by the wall's clock; None when it may go on now, and always so without ``hours``."""
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
