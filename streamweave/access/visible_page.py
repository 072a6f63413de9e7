"""The beginning of a long list for somebody who sees a part of it, without walking past what they may not see.

Each way in which files are open is asked for its own rows, by the index that has them in order. The statements are
written for all whose openings are of the same kinds; ``Openings.values`` are the values of their parameters.
"""

from collections.abc import Callable
from dataclasses import replace
from math import isqrt
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Select,
    Subquery,
    bindparam,
    func,
    select,
    true,
    union,
    union_all,
)

from streamweave.access.access_paths import AccessPath, access_paths
from streamweave.access.access_scope import AccessScope, Kind
from streamweave.catalog.pages import Ids, Order, Place, Values, end_of
from streamweave.catalog.tables import FileGrant, FileRecord

HORIZON: BindParameter[Any] = bindparam("horizon")
SPAN: tuple[BindParameter[Any], BindParameter[Any]] = bindparam("span_from"), bindparam("span_to")


def first_of_each(
    kinds: tuple[Kind, ...],
    place: Place,
    records: Select[Any] | None = None,
    *,
    shown: Callable[[Any], ColumnElement[bool]] | None = None,
) -> Ids:
    """The first files from ``place`` on that are open: they are among the first that each way opens.

    ``records`` are those that the list shows, selected from ``FileRecord`` without visibility. Without them all are, or
    those whose ids are ``shown``; that needs nothing but indexes, if the list is in order of discovery.
    """
    return place.first_of(
        union(*(_first(way, place, records, shown) for way in access_paths(kinds, record=FileRecord))).subquery()
    )


def open_end(kinds: tuple[Kind, ...], place: Place) -> Select[Any]:
    """Where the next stretch of what is open ends, if ``place`` is in order of discovery; nothing where all does.

    The first of the ways to have had ``scan_window`` files, a parameter, ends it for all.
    """
    # no index has a folder's files in order: its instrument's are more
    ordered = tuple(dict.fromkeys(Kind.INSTRUMENT if kind is Kind.FOLDER else kind for kind in kinds))
    ends = [
        _each(way, end_of(select(way.table), _in_order_of(way, place), "scan_window")) for way in access_paths(ordered)
    ]
    nearest = func.max if place.order.newest_first else func.min
    return select(nearest(union_all(*ends).subquery().c.key))


def windowed(openings: AccessScope, length: int) -> Values:
    """The values for ``open_end`` of a stretch of about ``length`` files.

    Each way may have more than its part of them: mostly one of them has more than the others, and ends it early.
    """
    ordered = openings.with_whole_instruments
    number = len(ordered.grantees) + len(ordered.instruments) + 1
    return {**ordered.values, "scan_window": max(1, length // isqrt(number))}


def scan_window(kinds: tuple[Kind, ...], place: Place) -> CTE:
    """What is open from ``place`` on to the key that is the parameter ``horizon``: each file's ``id`` and ``key``."""
    rows = ((way, _in_order_of(way, place)) for way in access_paths(kinds))
    near = union(*(_rows(way, there).where(there.order.before(HORIZON)) for way, there in rows))
    return near.cte("open_stretch").prefix_with("MATERIALIZED")


def open_ids(kinds: tuple[Kind, ...], place: Place, *, in_span: bool = False) -> Subquery:
    """The ids of what is open from ``place`` on, which is in order of discovery; some of them repeatedly.

    ``in_span``: what was discovered between the parameters ``span_from`` and ``span_to``, both included.
    """
    rows = ((way, _rows(way, _in_order_of(way, place))) for way in access_paths(kinds))
    bounded = (open_.where(way.discovered_at.between(*SPAN)) if in_span else open_ for way, open_ in rows)
    return union_all(*bounded).subquery("theirs")


def _rows(way: AccessPath, place: Place) -> Select[Any]:
    return place.beyond(way.rows(way.id.label("id"), way.discovered_at.label("key")))


def _first(
    way: AccessPath, place: Place, records: Select[Any] | None, shown: Callable[[Any], ColumnElement[bool]] | None
) -> Select[Any]:
    there = _in_order_of(way, place)
    if records is None:
        rows = select(way.table) if shown is None else select(way.table).where(shown(way.id))
    else:
        rows = records.join(FileGrant, way.id == FileRecord.id) if way.of_grants else records
    return _each(way, there.applied(rows.with_only_columns(there.order.id.label("id"), there.order.key.label("key"))))


def _each(way: AccessPath, rows: Select[Any]) -> Select[Any]:
    """``rows`` of what each of the openings opens."""
    first = rows.where(way.by_each).correlate(way.each).lateral()
    return select(first).select_from(way.each.join(first, true()))


def _in_order_of(way: AccessPath, place: Place) -> Place:
    """The same place among the way's own rows, if it is in order of discovery: an index has them so."""
    if place.order.key is not FileRecord.first_discovered_at:
        return place
    return replace(place, order=Order(way.discovered_at, way.id, place.order.newest_first))
