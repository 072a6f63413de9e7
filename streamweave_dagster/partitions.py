"""Partitions: the acquisition days of an instrument, by the calendar on its wall, today included."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from streamweave.catalog.tables import Instrument

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def acquisition_days(instrument: Instrument) -> dg.DailyPartitionsDefinition:
    """Every day from the instrument's first one to today."""
    return dg.DailyPartitionsDefinition(
        start_date=instrument.first_acquisition_day.isoformat(),
        timezone=instrument.timezone,
        end_offset=1,  # Dagster leaves out the day that has not ended, on which most harvests happen
    )


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row, both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def spans(days: Iterable[date], *, at_most: int) -> Sequence[Span]:
    """Group days into as few spans as possible, in order; more than ``at_most`` become one that spans the gaps too."""
    found: list[Span] = []
    for day in sorted(set(days)):
        if found and found[-1].last + timedelta(days=1) == day:
            found[-1] = Span(found[-1].first, day)
        else:
            found.append(Span(day, day))
    return found if len(found) <= at_most else [Span(found[0].first, found[-1].last)]
