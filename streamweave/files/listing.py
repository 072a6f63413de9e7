"""The first files of a list that a viewer may see, found without reading all that the list leaves out.

``visible_page`` is the entry. The files in a viewer's access scope, and those that pass a filter, may each be most of
the catalog, while few files are in both; so neither set is read to its end unless both are small. What is tried instead
is below, each way with the row of the catalog benchmark (docs/performance.md, "How lists stay fast") that pays for it.

Statements are written once for each combination of path kinds, filters and place, and then executed with values:
SQLAlchemy took longer to write them than PostgreSQL to answer (row "first page, nothing").
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import isqrt
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    bindparam,
    func,
    literal,
    null,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.access.visibility import (
    FEW,
    AccessPath,
    AccessScope,
    Kind,
    access_paths,
    covered_one_by_one,
    every_instrument,
    not_withdrawn,
)
from streamweave.catalog.pages import ROWS, Bookmark, Order, Place, Values
from streamweave.catalog.tables import FileGrant, FileRecord, FileVersion, User
from streamweave.catalog.tables.files import path_in_byte_order
from streamweave.files.selection import Filters, Selection, access_scope_asked, passing, records_that_pass

KEPT_LISTS = 1_024  # combinations whose statements are kept
WALKED = 10_000  # rows that are walked in order, in a few milliseconds
JOINED = 4_000  # open files that are joined by hash with as many of a filter's, in a few milliseconds
LOOKED_UP = 2_000  # open files of which each is looked up
ACQUIRED = 20_000  # files of a span of acquisition time, of which an index has the discovery times

BOUND: BindParameter[Any] = bindparam("bound")
SPAN: tuple[BindParameter[Any], BindParameter[Any]] = bindparam("span_from"), bindparam("span_to")

Ids = Select[tuple[uuid.UUID]]
Found = Sequence[uuid.UUID]
Kinds = tuple[Kind, ...]

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


def visible_page(session: Session, viewer: User, selection: Selection, begin: Bookmark) -> Found:
    """The ids of the first files of ``selection`` that ``viewer`` may see, in no order. Raises ``InvalidInput``."""
    scope = access_scope_asked(session, viewer, selection)
    if scope is None:
        if _by_discovery(begin.place.order) or selection.instrument_id is not None:
            return _first_of_all(session, selection, begin)
        scope = every_instrument(session)
    if not scope.kinds:
        return []
    plan = plan_of(scope.kinds, selection.filters, begin.place, withdrawn_too=viewer.is_admin)
    values = {**selection.values, **scope.values, **begin.values}
    if plan.span is not None and plan.in_span is not None:
        first, last, number = session.execute(plan.span, values).one()
        if number <= plan.spanned:
            return session.scalars(plan.in_span, {**values, "span_from": first, "span_to": last}).all()
    scope_end, *passing_ends = _ends(session, plan, scope, values)
    if plan.few is not None and passing_ends[-1] is None:
        return session.scalars(plan.few, values).all()
    for bound in _bounds(scope_end, passing_ends[:1], begin.place.order):
        found = session.scalars(plan.near, {**values, "bound": bound}).all()
        if len(found) == values[ROWS.key]:
            return found
    return session.scalars(plan.every, values).all()


def _ends(session: Session, plan: "Plan", scope: AccessScope, values: Values) -> Sequence[Any]:
    """The keys at which windows end: of the scope, of the leading filter, and of few files of that filter.

    None for a window that reaches the end of its list.
    """
    if plan.ends is None:
        return [None]
    lengths = {**_window_lengths(scope, plan.length), "window": plan.length, "few": FEW}
    return session.execute(plan.ends, {**values, **lengths}).one()


def _bounds(scope_end: Any, passing_end: Sequence[Any], order: Order) -> list[Any]:
    """The keys up to which files are searched, in turn: the filter's window if it is nearer, then the scope's."""
    if scope_end is None or None in passing_end:
        return []  # so few are collected at once
    nearer = [end for end in passing_end if (end > scope_end) == order.newest_first]
    return [*nearer, scope_end]


# --- viewers who see all files


def _first_of_all(session: Session, selection: Selection, begin: Bookmark) -> Found:
    statements, values = _list(selection.filters, begin.place), {**selection.values, **begin.values}
    if isinstance(statements, WalkedList):
        return statements.first(session, values)
    return session.scalars(statements, values).all()


@lru_cache(KEPT_LISTS)
def _list(filters: Filters, place: Place) -> "WalkedList | Ids":
    leading = _leading_filter(filters, place)
    whole, there = _rows_of(leading), _place_among(leading, place)
    if filters == leading:  # the index alone: row "filter state skipped, admin"
        return there.applied(whole.with_only_columns(there.order.id))
    return walked_list(records_that_pass(filters, withdrawn_too=True), whole, there)


@dataclass(frozen=True, slots=True)
class WalkedList:
    """The statements for the first rows that pass a filter: a window is walked in order, then all that pass are sorted.

    The planner knows how many rows pass, but not where they are: for a month long ago it would walk past everything
    that came since (rows "filter acquired in a month of the first year, admin" and "search old word, admin").

    ``end`` yields the key at which the window ends, ``within`` walks it, ``short`` walks a list that ends before, and
    ``every`` collects all rows that pass.
    """

    end: Select[Any]
    within: Ids
    short: Ids
    every: Ids

    def first(self, session: Session, values: Values) -> Found:
        """The ids of the first rows that pass, in order."""
        bound = session.scalar(self.end, {**values, "window": WALKED})
        if bound is None:
            return session.scalars(self.short, values).all()
        found = session.scalars(self.within, {**values, "bound": bound}).all()
        return found if len(found) == values[ROWS.key] else session.scalars(self.every, values).all()


def walked_list(
    passing: Select[Any], whole: Select[Any], place: Place, *, walked: Select[Any] | None = None
) -> WalkedList:
    """The list of ``passing``, which is ``whole`` (in the place's order by an index) with filters.

    ``walked`` is the same as ``passing``, worded for a walk, if that differs.
    """
    ids = (passing if walked is None else walked).with_only_columns(place.order.id)
    bound = bindparam("bound", type_=place.order.key.type)
    return WalkedList(
        end=_end_of(whole, place, "window"),
        within=place.applied(ids.where(place.order.before(bound))),
        short=place.applied(ids),
        every=_first_of_every(passing, place),
    )


def _end_of(rows: Select[Any], place: Place, after: str) -> Select[Any]:
    """The key of the row ``after`` so many others, a parameter; no row where there are fewer."""
    keys = place.in_order(place.beyond(rows.with_only_columns(place.order.key.label("key"))))
    return keys.limit(1).offset(bindparam(after))


def _first_of_every(passing: Select[Any], place: Place) -> Ids:
    """The ids of the first rows of ``passing``, by collecting all that pass first."""
    keyed = passing.with_only_columns(place.order.id.label("id"), place.order.key.label("key"))
    return place.first_of(place.beyond(keyed).cte("every").prefix_with("MATERIALIZED"))


# --- the leading filter: one that an index has in the list's own order; the other filters are tried on its files

_LEADING_BY_DISCOVERY = ("state", "owner_id", "extension", "instrument_id")
_LEADING_BY_OTHERS = ("instrument_id",)


def _leading_filter(filters: Filters, place: Place) -> Filters:
    """That filter alone, or none."""
    candidates = _LEADING_BY_DISCOVERY if _by_discovery(place.order) else _LEADING_BY_OTHERS
    return next(((name,) for name in candidates if name in filters), ())


def _rows_of(leading: Filters) -> Select[Any]:
    """What passes it, worded so that its index suffices: rows of versions for a state, else of files."""
    if "state" in leading:
        return select(FileVersion).where(FileVersion.is_newest, *passing(leading))
    return select(FileRecord).where(*passing(leading))


def _place_among(leading: Filters, place: Place) -> Place:
    """The same place among these rows: versions repeat when their files were discovered."""
    if "state" not in leading:
        return place
    return replace(place, order=Order(FileVersion.first_discovered_at, FileVersion.file_id, place.order.newest_first))


def _by_discovery(order: Order) -> bool:
    return order.key is FileRecord.first_discovered_at


# --- viewers with a part of the files


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of a list.

    ``every`` collects all files, ``near`` those up to a bound; ``ends`` yields the keys at which windows of ``length``
    files end. ``span`` yields the first and last discovery of the files that pass a filter, and their number: if that
    is at most ``spanned``, ``in_span`` collects them. ``few`` looks up each file that passes the leading filter, if
    these are at most ``FEW``.
    """

    every: Ids
    near: Ids
    ends: Select[Any] | None = None
    length: int = 0
    span: Select[Any] | None = None
    in_span: Ids | None = None
    spanned: int = 0
    few: Ids | None = None


@lru_cache(KEPT_LISTS)
def plan_of(kinds: Kinds, filters: Filters, place: Place, *, withdrawn_too: bool) -> Plan:
    """The plan for access paths of these kinds, of which there is at least one."""
    if not _by_discovery(place.order):
        return _otherwise_ordered(kinds, place, records_that_pass(filters, withdrawn_too=withdrawn_too), filters)
    shown = _Shown(filters, (), place, withdrawn_too)
    if not filters:
        return _unfiltered(kinds, shown)
    if leading := _leading_filter(filters, place):
        return _led(kinds, replace(shown, narrow=leading))
    for names, planned in ((("acquired_from", "acquired_to"), _acquired), (("min_size", "max_size"), _sized)):
        if narrow := tuple(name for name in names if name in filters):
            return planned(kinds, replace(shown, narrow=narrow))
    return _looked_up(kinds, replace(shown, narrow=filters))


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a list shows of files that are open and pass the ``narrow`` ones of its filters."""

    filters: Filters
    narrow: Filters
    place: Place
    withdrawn_too: bool

    @property
    def records(self) -> Select[Any]:
        """The records that pass all filters."""
        return records_that_pass(self.filters, withdrawn_too=self.withdrawn_too)

    def first_of(self, rows: FromClause, *, unfiltered: bool = False) -> Ids:
        """The first of ``rows``, which have an ``id`` and a ``key``. ``unfiltered`` ones pass no filter yet."""
        found = select(rows.c.id, rows.c.key)
        if self.filters != self.narrow or unfiltered:
            found = self.records.join(rows, rows.c.id == FileRecord.id).with_only_columns(rows.c.id, rows.c.key)
        elif not self.withdrawn_too:
            found = found.where(not_withdrawn(rows.c.id))
        return self.place.first_of(found.subquery())

    def of(self, open_files: FromClause) -> Select[Any]:
        """The id and key of those of ``open_files``, which have an ``id``, that pass the narrow filters."""
        there = _place_among(self.narrow, self.place)
        joined = there.beyond(_rows_of(self.narrow)).join(open_files, open_files.c.id == there.order.id)
        return joined.with_only_columns(there.order.id.label("id"), there.order.key.label("key"))

    def every_of(self, open_files: FromClause) -> Ids:
        """The first of all of ``open_files``, some of which may be there repeatedly."""
        # set apart, as the planner may hash either side, and for many filters needs nothing but indexes
        return self.first_of(self.of(open_files).distinct().cte("met").prefix_with("MATERIALIZED"))

    def one_by_one(self, kinds: Kinds) -> Ids:
        """The first, by collecting what passes all filters and looking up for each file whether it is open."""
        return _first_of_every(self.records.where(covered_one_by_one(kinds, few=True)), self.place)


def _otherwise_ordered(kinds: Kinds, place: Place, records: Select[Any], filters: Filters) -> Plan:
    if kinds != (Kind.INSTRUMENT,) or not filters:
        first = _first_of_each_path(kinds, place, records)
        return Plan(first, first)
    # a filter that few files pass would be tried on all of them: it is tried on the next ones of each instrument, and
    # then all that its own index finds are collected
    near = _first_of_each_path(kinds, place, records.where(place.order.before(BOUND)))
    every = records.where(*(path.among for path in access_paths(kinds, record=FileRecord)))
    return Plan(_first_of_every(every, place), near, _scope_end(kinds, place), LOOKED_UP)


def _unfiltered(kinds: Kinds, shown: _Shown) -> Plan:
    first = _first_of_each_path(kinds, shown.place, shown=None if shown.withdrawn_too else not_withdrawn)
    if Kind.FOLDER not in kinds:
        return Plan(first, first)
    # no index has a folder's files in order, and all of them would be sorted. Mostly enough are among the newest of
    # their instruments: row "first page, ten folders"
    near = shown.first_of(_window(kinds, shown.place))
    return Plan(first, near, _scope_end(kinds, shown.place), LOOKED_UP)


def _led(kinds: Kinds, shown: _Shown) -> Plan:
    # both sides are ranges of indexes, and their windows are joined by hash: row "filter state archived, 5 % of all
    # files". The few files of a rare value are looked up: row "filter extension (rare), 5 % of all files"
    there = _place_among(shown.narrow, shown.place)
    passing = _rows_of(shown.narrow)
    ends = select(
        _scope_end(kinds, shown.place).scalar_subquery().label("scope_end"),
        _end_of(passing, there, "window").scalar_subquery().label("passing_end"),
        _end_of(passing, there, "few").scalar_subquery().label("few_end"),
    )
    near = shown.of(_window(kinds, shown.place)).where(there.order.before(BOUND))
    every = shown.every_of(_open_ids(kinds, shown.place))
    return Plan(every, shown.first_of(near.subquery()), ends, JOINED, few=shown.one_by_one(kinds))


def _acquired(kinds: Kinds, shown: _Shown) -> Plan:
    # the index of mtimes has the discovery times, too: only what was discovered between the first and the last is
    # checked for access: row "filter acquired on a day of the first year, 5 % of all files"
    some = _rows_of(shown.narrow).with_only_columns(FileRecord.first_discovered_at.label("at"))
    first = some.limit(literal(ACQUIRED + 1)).subquery()
    span = select(func.min(first.c.at), func.max(first.c.at), func.count())
    in_span = shown.every_of(_open_ids(kinds, shown.place, in_span=True))
    return replace(_looked_up(kinds, shown), span=span, in_span=in_span, spanned=ACQUIRED)


def _sized(kinds: Kinds, shown: _Shown) -> Plan:
    # files of a rare size are discovered at any time, and are few enough to look up: row "filter size (rare), 5 % of
    # all files"
    some = _rows_of(shown.narrow).with_only_columns(FileRecord.id).limit(literal(FEW + 1)).subquery()
    span = select(null(), null(), func.count()).select_from(some)
    looked_up = _looked_up(kinds, replace(shown, narrow=shown.filters))
    return replace(looked_up, span=span, in_span=shown.one_by_one(kinds), spanned=FEW)


def _looked_up(kinds: Kinds, shown: _Shown) -> Plan:
    # the filters are tried on the next open files, in order, until the page is full; then on all that the filters' own
    # indexes find: row "filter metadata (common), 5 % of all files"
    near = shown.first_of(shown.place.of_keyed(_window(kinds, shown.place)).subquery(), unfiltered=True)
    return Plan(shown.every_of(_open_ids(kinds, shown.place)), near, _scope_end(kinds, shown.place), LOOKED_UP)


# --- the files of a scope: every access path is asked for its own rows, by the index that has them in order


def _first_of_each_path(
    kinds: Kinds,
    place: Place,
    records: Select[Any] | None = None,
    *,
    shown: Callable[[Any], ColumnElement[bool]] | None = None,
) -> Ids:
    """The first open files from ``place`` on, which are among the first of each path.

    Row "first page, 5 % of all files".

    ``records`` are those that the list shows, selected from ``FileRecord`` without visibility. Without them all are, or
    those whose ids are ``shown``; in order of discovery that needs nothing but indexes.
    """
    paths = access_paths(kinds, record=FileRecord)
    return place.first_of(union(*(_first(path, place, records, shown) for path in paths)).subquery())


def _first(
    path: AccessPath, place: Place, records: Select[Any] | None, shown: Callable[[Any], ColumnElement[bool]] | None
) -> Select[Any]:
    there = _in_order_of(path, place)
    if records is None:
        rows = select(path.table) if shown is None else select(path.table).where(shown(path.id))
    else:
        rows = records.join(FileGrant, path.id == FileRecord.id) if path.of_grants else records
    return _each(path, there.applied(rows.with_only_columns(there.order.id.label("id"), there.order.key.label("key"))))


def _scope_end(kinds: Kinds, place: Place) -> Select[Any]:
    """The key at which the next window of the scope ends; null where it reaches the end.

    The first path to have ``scope_window`` files, a parameter, ends the window for all.
    """
    # no index has a folder's files in order: its instrument's are more
    ordered = tuple(dict.fromkeys(Kind.INSTRUMENT if kind is Kind.FOLDER else kind for kind in kinds))
    ends = [
        _each(path, _end_of(select(path.table), _in_order_of(path, place), "scope_window"))
        for path in access_paths(ordered, record=FileRecord)
    ]
    nearest = func.max if place.order.newest_first else func.min
    return select(nearest(union_all(*ends).subquery().c.key))


def _window_lengths(scope: AccessScope, length: int) -> Values:
    """The values for ``_scope_end`` of a window of about ``length`` files.

    Each path may have more than its part of them: mostly one has more than the others, and ends the window early.
    """
    ordered = scope.with_whole_instruments
    number = len(ordered.grantees) + len(ordered.instruments) + 1
    return {**ordered.values, "scope_window": max(1, length // isqrt(number))}


def _window(kinds: Kinds, place: Place) -> CTE:
    """The open files from ``place`` on to the key that is the parameter ``bound``: each one's ``id`` and ``key``."""
    rows = ((path, _in_order_of(path, place)) for path in access_paths(kinds))
    near = union(*(_open_rows(path, there).where(there.order.before(BOUND)) for path, there in rows))
    return near.cte("open_window").prefix_with("MATERIALIZED")


def _open_ids(kinds: Kinds, place: Place, *, in_span: bool = False) -> Subquery:
    """The ids of the open files from ``place`` on, in order of discovery; some of them repeatedly.

    ``in_span``: what was discovered between the parameters ``span_from`` and ``span_to``, both included.
    """
    rows = ((path, _open_rows(path, _in_order_of(path, place))) for path in access_paths(kinds))
    bounded = (found.where(path.discovered_at.between(*SPAN)) if in_span else found for path, found in rows)
    return union_all(*bounded).subquery("open_files")


def _open_rows(path: AccessPath, place: Place) -> Select[Any]:
    return place.beyond(path.rows(path.id.label("id"), path.discovered_at.label("key")))


def _each(path: AccessPath, rows: Select[Any]) -> Select[Any]:
    """``rows`` for each of the path's values (owner, grantee, instrument, folder)."""
    first = rows.where(path.by_each).correlate(path.each).lateral()
    return select(first).select_from(path.each.join(first, true()))


def _in_order_of(path: AccessPath, place: Place) -> Place:
    """The same place among the path's own rows, if it is in order of discovery: an index has them so."""
    if not _by_discovery(place.order):
        return place
    return replace(place, order=Order(path.discovered_at, path.id, place.order.newest_first))
