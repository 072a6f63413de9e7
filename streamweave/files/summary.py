"""A summary of what a viewer may see: files and bytes by instrument and day, and the states with their ages.

What it costs: the days read an index of the newest versions by acquisition day, so only the days asked for count; the
states read an index of the newest versions by state, once over, which takes some tenths of a second at a million files.
For others than admins all that is open to them is collected, and held against these.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from streamweave.access.visibility import visible_versions
from streamweave.catalog.tables import FileVersion, User
from streamweave.errors import InvalidInput

Row = TypeVar("Row", bound=tuple[Any, ...])

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Harvested:
    """What an instrument acquired on one day."""

    instrument_id: uuid.UUID
    day: date
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How many files stand in a state, and since when the oldest of them does (UTC)."""

    state: str
    files: int
    oldest_since: datetime


def harvested(session: Session, viewer: User, first_day: date, last_day: date) -> list[Harvested]:
    """Files and bytes by acquisition day and instrument, from ``first_day`` to ``last_day``, both included.

    Raises ``InvalidInput`` for more than 366 days.
    """
    if not 0 <= (last_day - first_day).days < MOST_DAYS:
        raise InvalidInput("from_day", f"must lie before to_day, and at most {MOST_DAYS} days apart")
    keys = FileVersion.acquisition_day, FileVersion.instrument_id
    totals = func.count(), func.sum(FileVersion.size_bytes)
    query = _newest(session, select(*keys, *totals), viewer).where(
        FileVersion.acquisition_day.between(first_day, last_day)
    )
    rows = session.execute(query.group_by(*keys).order_by(*keys))
    return [Harvested(instrument_id, day, files, int(size)) for day, instrument_id, files, size in rows]


def standings(session: Session, viewer: User) -> list[Standing]:
    """The states that files stand in, in alphabetical order."""
    query = _newest(session, select(FileVersion.state, func.count(), func.min(FileVersion.state_since)), viewer)
    rows = session.execute(query.group_by(FileVersion.state).order_by(FileVersion.state))
    return [Standing(state, files, since) for state, files, since in rows]


def _newest(session: Session, query: Select[Row], viewer: User) -> Select[Row]:
    return query.where(FileVersion.is_newest, visible_versions(session, viewer))
