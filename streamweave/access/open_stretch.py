"""The next stretch of what is open to somebody, without regard to filters: told by indexes, in order of discovery.

A filter that has an index in the same order has a stretch of its own there, and both meet by hash. Neither walks far,
however few of the files that the filter passes are open, and however few of the open ones pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Select, Subquery, func, select, union, union_all
from sqlalchemy.orm import Session

from streamweave.access.first_visible import in_grants, ways_without_grants
from streamweave.access.openings import Openings
from streamweave.catalog.tables import FileGrant, FileRecord
from streamweave.pages import Place

Way = tuple[Select[Any], Place]


@dataclass(frozen=True, slots=True)
class OpenStretch:
    """The ids of files that are open, in the column ``id``: up to ``horizon``, or all if that is None."""

    ids: CTE
    horizon: datetime | None


def open_stretch(session: Session, openings: Openings, place: Place, length: int) -> OpenStretch:
    """What is open from ``place`` on, which is in order of discovery: ``length`` files at most, or a bit less."""
    horizon = _horizon(session, openings, place, length)
    ids = union(*(_within(way, there, horizon) for way, there in _ways(openings, place)))
    return OpenStretch(ids.cte("open_stretch").prefix_with("MATERIALIZED"), horizon)


def all_open(openings: Openings, place: Place) -> Subquery:
    """The ids of all that is open from there on, in the column ``id``: some of them repeatedly."""
    return union_all(*(_within(way, there, None) for way, there in _ways(openings, place))).subquery("all_open")


def _horizon(session: Session, openings: Openings, place: Place, length: int) -> datetime | None:
    """Where the first of the ways has had its part of the stretch; None when none has so many."""
    # no index has a folder's files in order: its instrument's are more
    instruments = {*openings.instruments, *(instrument_id for instrument_id, _ in openings.folders)}
    ways = list(_ways(replace(openings, instruments=tuple(instruments), folders=()), place))
    ends = [_end(way, there, length // len(ways)) for way, there in ways]
    nearest = func.max if place.order.newest_first else func.min
    ended: datetime | None = session.scalar(select(nearest(union_all(*ends).subquery().c.key)))
    return ended


def _end(way: Select[Any], place: Place, length: int) -> Select[Any]:
    keys = way.with_only_columns(place.order.key.label("key"))
    return select(replace(place, limit=1).applied(keys).offset(length).subquery().c.key)


def _within(way: Select[Any], place: Place, horizon: datetime | None) -> Select[Any]:
    ids = place.beyond(way.with_only_columns(place.order.id.label("id")))
    return ids if horizon is None else ids.where(place.order.before(horizon))


def _ways(openings: Openings, place: Place) -> Iterator[Way]:
    for grantee_id in openings.grantees:
        yield select(FileGrant).where(FileGrant.grantee_id == grantee_id), in_grants(place)
    yield from ways_without_grants(openings, select(FileRecord), place)
