"""How long nobody may look at an instrument's share."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from streamweave.catalog.tables import Instrument

POLLING_INTERVALS = 3
GRACE = timedelta(minutes=10)
"""A look takes its time, and so may the daemon that orders it."""


def longest_pause(instrument: Instrument, crons: Sequence[str], now: datetime) -> timedelta:
    """How old the last look may be: a few polling intervals, or the period of the schedule that comes most often.

    ``crons`` are the lines of the instrument's enabled schedules.
    """
    polling = POLLING_INTERVALS * timedelta(seconds=instrument.poll_interval_seconds)
    periods = [_period(cron, now.astimezone(ZoneInfo(instrument.timezone))) for cron in crons]
    return max(polling, min(periods, default=polling)) + GRACE


def _period(cron: str, now: datetime) -> timedelta:
    """From the last time to the next one, by the calendar on the instrument's wall."""
    last: datetime = croniter(cron, now).get_prev(datetime)
    following: datetime = croniter(cron, now).get_next(datetime)
    return following - last
