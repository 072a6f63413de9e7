"""The body of the summary. Sizes are in bytes, times in UTC."""

from datetime import date, datetime
from uuid import UUID

from streamweave_api.bodies import Outgoing


class DayBody(Outgoing):
    """What an instrument acquired on one day: files that are there now, by their newest versions."""

    instrument_id: UUID
    day: date
    files: int
    bytes: int


class StateBody(Outgoing):
    """How many files stand in a state, and since when the oldest of them does."""

    state: str
    files: int
    oldest_since: datetime


class SummaryBody(Outgoing):
    """What a dashboard draws from."""

    from_day: date
    to_day: date
    days: list[DayBody]
    states: list[StateBody]
