"""Lists of files for somebody who sees a part: the statements by which the first rows are found.

A filter may pass few of the files that are open, and few of those that it passes may be open. So neither is walked to
the end. A stretch of what is open, told by indexes alone, meets a stretch of what passes the filter, likewise. What
isn't found there is found by collecting all that is in both. Which of that is asked, and in which words, depends on
the kinds of openings and filters only: the statements are written once for each.

The beginning of the list of files that pass filters, for those who see them all, and those who see a part.

The filter of a list that an index has in the list's own order: the index is walked, and the other filters follow.

The orders in which files can be listed. Each ends with the id, so that pages neither repeat nor miss a file.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, FromClause, Select, func, literal, null, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.access.access_scope import AccessScope, Kind
from streamweave.access.visibility import FEW, covered_one_by_one, not_withdrawn
from streamweave.access.visible_page import HORIZON, first_of_each, open_end, open_ids, scan_window, windowed
from streamweave.catalog.pages import (
    ROWS,
    Bookmark,
    FilteredList,
    Ids,
    Order,
    Place,
    Values,
    end_of,
    filtered_list,
    first_of_every,
)
from streamweave.catalog.tables import FileRecord, FileVersion
from streamweave.catalog.tables.files import path_in_byte_order
from streamweave.files.selection import Filters, Selection, passing, records_that_pass

BY_DISCOVERY = ("state", "owner_id", "extension", "instrument_id")
BY_OTHERS = ("instrument_id",)


def leading_filter(filters: Filters, place: Place) -> Filters:
    """That filter alone, or none."""
    candidates = BY_DISCOVERY if by_discovery(place) else BY_OTHERS
    return next(((name,) for name in candidates if name in filters), ())


def rows_of(leading: Filters) -> Select[Any]:
    """What passes it, asked in a way that needs nothing but its index: rows of versions for a state, else of files."""
    if "state" in leading:
        return select(FileVersion).where(FileVersion.is_newest, *passing(leading))
    return select(FileRecord).where(*passing(leading))


def place_among(leading: Filters, place: Place) -> Place:
    """The same place among these rows: versions repeat when their files were discovered."""
    if "state" not in leading:
        return place
    return replace(place, order=Order(FileVersion.first_discovered_at, FileVersion.file_id, place.order.newest_first))


def by_discovery(place: Place) -> bool:
    """Whether the list is in the order in which its files were discovered."""
    return place.order.key is FileRecord.first_discovered_at


MET = 4_000  # files that are open: in so many, and as many of the filter's, both meet in a few milliseconds
LOOKED_UP = 2_000  # the same where each has to be looked up
ACQUIRED = 20_000  # files of a span of time: its index tells in a few milliseconds when they were discovered
KINDS_OF_LISTS = 1_024  # whose statements are kept

TIMES = ("acquired_from", "acquired_to")
SIZES = ("min_size", "max_size")

Kinds = tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class VisibleList:
    """The statements of a list.

    ``ends`` asks where the next ``length`` files end that are open, or pass the leading filter, and ``near``
    for what is before such an end. ``every`` collects all. ``span`` asks when the files of the acquisition time that is
    wanted were discovered, first and last (of a size it doesn't tell), and how many they are: up to ``spanned`` of
    them ``in_span`` collects. ``few`` looks up each file that passes the leading filter, if these are no
    ``few_length``.
    """

    every: Ids
    near: Ids
    ends: Select[Any] | None = None
    length: int = 0
    span: Select[Any] | None = None
    in_span: Ids | None = None
    spanned: int = 0
    few: Ids | None = None
    few_length: int = 0


@lru_cache(KINDS_OF_LISTS)
def visible_list(kinds: Kinds, filters: Filters, place: Place, *, withdrawn_too: bool) -> VisibleList:
    """The statements for openings of these kinds, of which there is at least one."""
    if not by_discovery(place):
        first = first_of_each(kinds, place, records_that_pass(filters, withdrawn_too=withdrawn_too))
        return VisibleList(first, first)
    if not filters:
        return _unfiltered(kinds, _Shown((), (), place, withdrawn_too))
    leading = leading_filter(filters, place)
    for narrow, written in ((leading, _led), (_among(filters, TIMES), _acquired), (_among(filters, SIZES), _sized)):
        if narrow:
            return written(kinds, _Shown(filters, narrow, place, withdrawn_too))
    return _looked_up(kinds, _Shown(filters, filters, place, withdrawn_too))


def _among(filters: Filters, names: Filters) -> Filters:
    return tuple(name for name in names if name in filters)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a list shows of files that are open and pass the ``narrow`` ones of its filters."""

    filters: Filters
    narrow: Filters
    place: Place
    withdrawn_too: bool

    def first_of(self, rows: FromClause, *, unfiltered: bool = False) -> Ids:
        """The first of ``rows``, which have an ``id`` and a ``key``. ``unfiltered`` ones pass no filter yet."""
        found = select(rows.c.id, rows.c.key)
        if self.filters != self.narrow or unfiltered:
            records = records_that_pass(self.filters, withdrawn_too=self.withdrawn_too)
            found = records.join(rows, rows.c.id == FileRecord.id).with_only_columns(rows.c.id, rows.c.key)
        elif not self.withdrawn_too:
            found = found.where(not_withdrawn(rows.c.id))
        return self.place.first_of(found.subquery())

    def of(self, theirs: FromClause) -> Select[Any]:
        """The id and key of those of ``theirs``, which have an ``id``, that pass the narrow filters."""
        there = place_among(self.narrow, self.place)
        met = there.beyond(rows_of(self.narrow)).join(theirs, theirs.c.id == there.order.id)
        return met.with_only_columns(there.order.id.label("id"), there.order.key.label("key"))

    def every_of(self, theirs: FromClause) -> Ids:
        """The first of all of ``theirs``, some of which may be there repeatedly."""
        # set apart, as the planner may hash either side, and for many filters needs nothing but indexes
        return self.first_of(self.of(theirs).distinct().cte("met").prefix_with("MATERIALIZED"))


def _unfiltered(kinds: Kinds, shown: _Shown) -> VisibleList:
    first = first_of_each(kinds, shown.place, shown=None if shown.withdrawn_too else not_withdrawn)
    if Kind.FOLDER not in kinds:
        return VisibleList(first, first)
    # a folder's files have to be sorted, all of them, unless enough are new
    near = shown.first_of(scan_window(kinds, shown.place))
    return VisibleList(first, near, open_end(kinds, shown.place), LOOKED_UP)


def _led(kinds: Kinds, shown: _Shown) -> VisibleList:
    there = place_among(shown.narrow, shown.place)
    passing = rows_of(shown.narrow)
    ends = select(
        open_end(kinds, shown.place).scalar_subquery().label("open_end"),
        end_of(passing, there, "stretch").scalar_subquery().label("passing_end"),
        end_of(passing, there, "few").scalar_subquery().label("few_end"),
    )
    met = shown.of(scan_window(kinds, shown.place)).where(there.order.before(HORIZON))
    every = shown.every_of(open_ids(kinds, shown.place))
    return VisibleList(every, shown.first_of(met.subquery()), ends, MET, few=_one_by_one(kinds, shown), few_length=FEW)


def _acquired(kinds: Kinds, shown: _Shown) -> VisibleList:
    some = rows_of(shown.narrow).with_only_columns(FileRecord.first_discovered_at.label("at"))
    first = some.limit(literal(ACQUIRED + 1)).subquery()
    span = select(func.min(first.c.at), func.max(first.c.at), func.count())
    in_span = shown.every_of(open_ids(kinds, shown.place, in_span=True))
    return replace(_looked_up(kinds, shown), span=span, in_span=in_span, spanned=ACQUIRED)


def _sized(kinds: Kinds, shown: _Shown) -> VisibleList:
    # files of a rare size are discovered at any time, and each of them can be looked up
    some = rows_of(shown.narrow).with_only_columns(FileRecord.id).limit(literal(FEW + 1)).subquery()
    span = select(null(), null(), func.count()).select_from(some)
    looked_up = _looked_up(kinds, replace(shown, narrow=shown.filters))
    return replace(looked_up, span=span, in_span=_one_by_one(kinds, shown), spanned=FEW)


def _one_by_one(kinds: Kinds, shown: _Shown) -> Ids:
    records = records_that_pass(shown.filters, withdrawn_too=shown.withdrawn_too)
    return first_of_every(records.where(covered_one_by_one(kinds, few=True)), shown.place)


def _looked_up(kinds: Kinds, shown: _Shown) -> VisibleList:
    stretch = scan_window(kinds, shown.place)
    # in order: no more of them is looked up than it takes to fill a page
    near = shown.first_of(shown.place.of_keyed(stretch).subquery(), unfiltered=True)
    return VisibleList(shown.every_of(open_ids(kinds, shown.place)), near, open_end(kinds, shown.place), LOOKED_UP)


Found = Sequence[uuid.UUID]


def filtered_page(session: Session, selection: Selection, begin: Bookmark) -> Found:
    """The ids of the first files of ``selection``, in no order. Raises ``InvalidInput``."""
    asked, values = _list(selection.filters, begin.place), {**selection.values, **begin.values}
    return asked.first(session, values) if isinstance(asked, FilteredList) else session.scalars(asked, values).all()


def filtered_page_of(
    session: Session, openings: AccessScope, selection: Selection, begin: Bookmark, *, withdrawn_too: bool
) -> Found:
    """The same of what is open to somebody."""
    if not openings.kinds:
        return []
    asked = visible_list(openings.kinds, selection.filters, begin.place, withdrawn_too=withdrawn_too)
    values = {**selection.values, **openings.values, **begin.values}
    if asked.span is not None and asked.in_span is not None:
        first, last, number = session.execute(asked.span, values).one()
        if number <= asked.spanned:
            return session.scalars(asked.in_span, {**values, "span_from": first, "span_to": last}).all()
    open_end, *passing_ends = _ends(session, asked, openings, values)
    if asked.few is not None and passing_ends[-1] is None:
        return session.scalars(asked.few, values).all()
    for horizon in _horizons(open_end, passing_ends[:1], begin.place.order):
        found = session.scalars(asked.near, {**values, "horizon": horizon}).all()
        if len(found) == values[ROWS.key]:
            return found
    return session.scalars(asked.every, values).all()


def _ends(session: Session, asked: VisibleList, openings: AccessScope, values: Values) -> Sequence[Any]:
    """Where so much is open; and where so much has passed the leading filter, if there is one, and few files have.

    None for what ends before.
    """
    if asked.ends is None:
        return [None]
    lengths = {**windowed(openings, asked.length), "stretch": asked.length, "few": asked.few_length}
    return session.execute(asked.ends, {**values, **lengths}).one()


def _horizons(open_end: Any, passing_end: Sequence[Any], order: Order) -> list[Any]:
    """How far to look, one after the other: until so much has passed the leading filter, until so much is open."""
    if open_end is None or None in passing_end:
        return []  # so few are collected at once
    nearer = [end for end in passing_end if (end > open_end) == order.newest_first]
    return [*nearer, open_end]


@lru_cache(KINDS_OF_LISTS)
def _list(filters: Filters, place: Place) -> FilteredList | Ids:
    leading = leading_filter(filters, place)
    whole, there = rows_of(leading), place_among(leading, place)
    if filters == leading:
        return there.applied(whole.with_only_columns(there.order.id))
    return filtered_list(records_that_pass(filters, withdrawn_too=True), whole, there)


Sort = Literal[
    "first_discovered_at",
    "-first_discovered_at",
    "source_path",
    "-source_path",
    "size_bytes",
    "-size_bytes",
    "source_mtime",
    "-source_mtime",
]

NEWEST_FIRST: Sort = "-first_discovered_at"

_KEYS: dict[str, InstrumentedAttribute[Any] | ColumnElement[Any]] = {
    "first_discovered_at": FileRecord.first_discovered_at,
    "source_path": path_in_byte_order(FileRecord.source_path),
    "size_bytes": FileRecord.size_bytes,
    "source_mtime": FileRecord.source_mtime,
}


@cache
def order_of(sort: Sort) -> Order:
    """The order that ``sort`` names; a minus means descending. Paths are compared by their first 500 characters."""
    return Order(_KEYS[sort.removeprefix("-")], FileRecord.id, newest_first=sort.startswith("-"))
