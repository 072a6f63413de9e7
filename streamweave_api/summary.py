"""A summary of the files that the viewer may see. Sizes are in bytes, times in UTC."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter

from streamweave.errors import InvalidInput
from streamweave.files.queries import harvested, state_counts
from streamweave_api.auth import Viewer
from streamweave_api.bodies import Outgoing, shown
from streamweave_api.pagination import Asked
from streamweave_api.service import TheService

USUAL_DAYS = timedelta(days=29)
PARAMETERS = ("from_day", "to_day")
FromDay = Annotated[date | None, QueryParameter(description="First acquisition day; 30 days before the last one")]
ToDay = Annotated[date | None, QueryParameter(description="Last acquisition day, included; today in UTC")]


class DayBody(Outgoing):
    """What an instrument acquired on one day: files that are there now, by their newest versions."""

    instrument_id: UUID
    day: date
    files: int
    bytes: int


class StateBody(Outgoing):
    """How many files are in a state, and since when the oldest of them is."""

    state: str
    files: int
    oldest_since: datetime


class SummaryBody(Outgoing):
    """What a dashboard draws from."""

    from_day: date
    to_day: date
    days: list[DayBody]
    states: list[StateBody]


@get("/api/summary", sync_to_thread=True, tags=["Summary"], summary="Summarise the visible files")
def summary(
    service: TheService, viewer: Viewer, request: Asked, from_day: FromDay = None, to_day: ToDay = None
) -> SummaryBody:
    """Files and bytes by instrument and acquisition day, and the states of files, with their ages."""
    for name in request.query_params:
        if name not in PARAMETERS:
            raise InvalidInput(name, "unknown parameter")
    last = to_day or datetime.now(UTC).date()
    first = from_day or max(last, date.min + USUAL_DAYS) - USUAL_DAYS
    with service.reading() as session:
        return SummaryBody(
            from_day=first,
            to_day=last,
            days=[shown(day, DayBody) for day in harvested(session, viewer, first, last)],
            states=[shown(state, StateBody) for state in state_counts(session, viewer)],
        )
