"""What is usual for an instrument, learned from the days on which it brought new files. Pure.

Days are in local time. A weekday on which it never brought anything is not counted, neither in what is usual, nor in
how long it has been silent. Of an instrument that works on few weekdays the gaps between its days are enough, and all
days count.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

HISTORY = timedelta(days=90)
"""So much of the time before the last new file is used."""
FEWEST_GAPS = 10
"""Less history says nothing about what is usual."""
WEEKS_OF_REST = 4
"""A weekday must have come so often without a file before it is one on which the instrument rests."""
MOST_RESTING = 3
"""With more weekdays of rest, half a working day would be most of a week."""
QUANTILE = 0.95
"""Of twenty gaps the longest is an exception: a holiday, a service."""
FACTOR = 1.5
"""So much longer than usual is an alarm: for an instrument that works daily, a day and a half without a file."""
SHORTEST = timedelta(days=FACTOR)
"""No learned limit is shorter, since no gap between two days is."""


@dataclass(frozen=True, slots=True)
class ActivityBaseline:
    """After how many working days without a new file an instrument is silent, and the weekdays on which it rests.

    Weekdays count from Monday, 0.
    """

    working_days: float
    resting: frozenset[int]

    def is_silent(self, since: datetime, now: datetime, zone: ZoneInfo) -> bool:
        """Whether no new file ``since`` is longer than is usual."""
        enough = timedelta(weeks=self.working_days + 2)  # each week has a working day: years need not be counted
        return working_time(since, min(now, since + enough), zone, self.resting) > timedelta(days=self.working_days)


def activity_baseline(discoveries: Iterable[datetime], zone: ZoneInfo) -> ActivityBaseline | None:
    """What the times of new files say is usual; None when they are too few to say anything."""
    days = sorted({discovery.astimezone(zone).date() for discovery in discoveries})
    if len(days) <= FEWEST_GAPS:
        return None
    resting = _resting(days)
    gaps = sorted(sum(day.weekday() not in resting for day in _days(before, after)) for before, after in pairwise(days))
    usual_gap = gaps[math.ceil(QUANTILE * len(gaps)) - 1]
    return ActivityBaseline(FACTOR * usual_gap, resting)


def working_time(since: datetime, until: datetime, zone: ZoneInfo, resting: Collection[int]) -> timedelta:
    """The time between two moments, without the weekdays of rest."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    counted = timedelta()
    for day in _days(first, last + timedelta(days=1)):
        if day.weekday() not in resting:
            begins, ends = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
            counted += max(min(ends, until) - max(begins, since), timedelta())
    return counted


def _resting(days: Sequence[date]) -> frozenset[int]:
    """The weekdays that have come often enough, and never with a file; none if they are too many."""
    resting = frozenset(range(7)) - {day.weekday() for day in days}
    is_known = days[-1] - days[0] >= timedelta(weeks=WEEKS_OF_REST) and len(resting) <= MOST_RESTING
    return resting if is_known else frozenset()


def _days(first: date, end: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((end - first).days))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
