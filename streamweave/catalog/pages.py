"""Long lists in pages: each page ends with a cursor, from which the next one goes on, whatever was added meanwhile.

The beginning of a long list of which only some rows pass a filter.

Whether to walk the list in order until enough rows pass, or to begin with all that pass, is a guess for the planner. It
knows how many they are, but not where: looking for a month long ago, it would walk past everything that came since. So
the list is walked for a stretch only. What isn't found by then is found by the filter's own index, and sorted.
"""

import base64
import binascii
import hashlib
import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, SQLColumnExpression, bindparam, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.errors import InvalidInput

Row = TypeVar("Row")
Key = datetime | int | str

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBER = struct.Struct(">q")
ID_BYTES = 16
DIGEST_BYTES = 4

Values = dict[str, Any]
"""The values of a statement's parameters, by their names."""
ROWS = bindparam("page_rows", type_=BigInteger())


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most ``limit`` rows, after the place that ``cursor`` names; from the beginning without one.

    ``scope`` says for whom and of what the list is: a cursor of another scope is refused.
    """

    limit: int = 100
    cursor: str | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of the next page; None on the last page."""

    rows: list[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A list's order: by a key (a time, a whole number or a text), then by id, so that no two rows share a place."""

    key: InstrumentedAttribute[datetime] | ColumnElement[Any]
    id: InstrumentedAttribute[uuid.UUID]
    newest_first: bool = False

    @property
    def list_name(self) -> str:
        """What a cursor is bound to: one list's cursor means nothing in another list."""
        return f"{self.key} {self.newest_first}"

    @property
    def kind(self) -> type[Key]:
        """What the key is."""
        kind: type[Key] = self.key.type.python_type
        return kind

    def before(self, horizon: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition for what comes before the key ``horizon``, or has it."""
        return self.key >= horizon if self.newest_first else self.key <= horizon


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a list as statements speak of it: from its beginning, or ``continued`` after a certain row.

    Which row that is, and how many rows are wanted, are parameters of the statement: ``Bookmark`` has their values. So
    a statement that was written for one page serves for all.
    """

    order: Order
    continued: bool

    def applied(self, query: Select[Any]) -> Select[Any]:
        """The rows of ``query`` that lie there, in order."""
        return self.in_order(self.beyond(query)).limit(ROWS)

    def beyond(self, query: Select[Any]) -> Select[Any]:
        """All rows of ``query`` that come after the place's beginning."""
        if not self.continued:
            return query
        key, row_id = self.order.key, self.order.id
        place = tuple_(key, row_id)
        after = tuple_(bindparam("after_key", type_=key.type), bindparam("after_id", type_=row_id.type))
        return query.where(place < after if self.order.newest_first else place > after)

    def in_order(self, query: Select[Any]) -> Select[Any]:
        """All rows of ``query``, in order."""
        return query.order_by(*self._columns(self.order.key, self.order.id))

    def first_of(self, rows: FromClause) -> Select[Any]:
        """The ids of the first of ``rows``, which all lie there, and have the columns ``key`` and ``id``."""
        return self.of_keyed(rows).with_only_columns(rows.c.id).limit(ROWS)

    def of_keyed(self, rows: FromClause) -> Select[Any]:
        """``rows``, which have the columns ``key`` and ``id``, in order."""
        return select(rows).order_by(*self._columns(rows.c.key, rows.c.id))

    def _columns(
        self, key: SQLColumnExpression[Any], row_id: SQLColumnExpression[Any]
    ) -> tuple[ColumnElement[Any] | SQLColumnExpression[Any], ...]:
        return (key.desc(), row_id.desc()) if self.order.newest_first else (key, row_id)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a page begins: the place, the values of its parameters, and what a cursor is bound to."""

    list_name: str
    place: Place
    values: Values

    def page(self, found: Sequence[Any]) -> "Page[Any]":
        """The page of what was found there: rows, the last two columns of which are the order's key and id."""
        limit = self.values[ROWS.key] - 1
        rows = found[:limit]
        next_cursor = make_cursor(self.list_name, *rows[-1][-2:]) if len(found) > limit else None
        return Page(list(rows), next_cursor)


def bookmark(order: Order, request: PageRequest, scope: str = "") -> Bookmark:
    """Where the page begins that is asked for. Raises ``InvalidInput`` for a cursor that we did not make for this list.

    ``scope`` says what else the list depends on, such as its filters: with another scope it is another list. One row
    more is wanted than the page has, which tells whether another page follows.
    """
    list_name = f"{order.list_name} {scope} {request.scope}"
    values: Values = {ROWS.key: request.limit + 1}
    if request.cursor is not None:
        key, row_id = read_cursor(list_name, request.cursor, order.kind)
        values |= {"after_key": key, "after_id": row_id}
    return Bookmark(list_name, Place(order, request.cursor is not None), values)


Narrowing = Callable[[Place, Values], ColumnElement[bool]]


def page_of(
    session: Session,
    query: Select[tuple[Row]],
    order: Order,
    request: PageRequest,
    *,
    scope: str = "",
    narrowed: Narrowing | None = None,
) -> Page[Row]:
    """One page of ``query``. Raises ``InvalidInput`` as ``bookmark`` does.

    ``narrowed`` makes a further condition of the place and the values of its parameters; it may hold for the rows of
    that place only.
    """
    begin = bookmark(order, request, scope)
    if narrowed is not None:
        query = query.where(narrowed(begin.place, begin.values))
    found = session.execute(begin.place.applied(query.add_columns(order.key, order.id)), begin.values).all()
    page = begin.page(found)
    return Page([row[0] for row in page.rows], page.next_cursor)


def make_cursor(list_name: str, key: Key, row_id: uuid.UUID) -> str:
    """A place in a list, as URL-safe text that means nothing to others."""
    place = row_id.bytes + _packed(key)
    return base64.urlsafe_b64encode(_digest(list_name, place) + place).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str, kind: type[Key] = datetime) -> tuple[Key, uuid.UUID]:
    """The place that ``make_cursor`` wrote down for the same list. Raises ``InvalidInput`` for anything else."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, place = packed[:DIGEST_BYTES], packed[DIGEST_BYTES:]
        key, row_id = _unpacked(place[ID_BYTES:], kind), uuid.UUID(bytes=place[:ID_BYTES])
    except (ValueError, OverflowError, binascii.Error, struct.error) as error:
        raise InvalidInput("cursor", "is not a cursor of this list") from error
    if digest != _digest(list_name, place):
        raise InvalidInput("cursor", "is not a cursor of this list")
    return key, row_id


def _packed(key: Key) -> bytes:
    if isinstance(key, str):
        return key.encode()
    return NUMBER.pack((key - EPOCH) // MICROSECOND if isinstance(key, datetime) else key)


def _unpacked(packed: bytes, kind: type[Key]) -> Key:
    if kind is str:
        return packed.decode()
    number: int = NUMBER.unpack(packed)[0]
    return EPOCH + number * MICROSECOND if kind is datetime else number


def _digest(list_name: str, place: bytes) -> bytes:
    return hashlib.blake2b(list_name.encode() + b"\0" + place, digest_size=DIGEST_BYTES).digest()


STRETCH = 10_000  # rows, which are walked in a few milliseconds

Ids = Select[tuple[uuid.UUID]]


@dataclass(frozen=True, slots=True)
class FilteredList:
    """The statements that ask for the first rows that pass: written once for lists of a kind, and asked with values.

    ``end`` asks where the stretch ends, ``within`` walks it, ``short`` walks a list that ends before, and ``every``
    collects all that pass.
    """

    end: Select[Any]
    within: Ids
    short: Ids
    every: Ids

    def first(self, session: Session, values: Values) -> Sequence[uuid.UUID]:
        """The ids of the first rows that pass, in order."""
        horizon = session.scalar(self.end, {**values, "stretch": STRETCH})
        if horizon is None:
            return session.scalars(self.short, values).all()
        found = session.scalars(self.within, {**values, "horizon": horizon}).all()
        return found if len(found) == values["page_rows"] else session.scalars(self.every, values).all()


def filtered_list(
    passing: Select[Any], whole: Select[Any], place: Place, *, walked: Select[Any] | None = None
) -> FilteredList:
    """How to find the first rows of ``passing`` from ``place`` on.

    ``passing`` is ``whole``, which an index has in the place's order, with filters. ``walked`` is the same as
    ``passing``, in words that suit a walk, if others do.
    """
    ids = (passing if walked is None else walked).with_only_columns(place.order.id)
    horizon = bindparam("horizon", type_=place.order.key.type)
    return FilteredList(
        end=end_of(whole, place, "stretch"),
        within=place.applied(ids.where(place.order.before(horizon))),
        short=place.applied(ids),
        every=first_of_every(passing, place),
    )


def end_of(rows: Select[Any], place: Place, after: str) -> Select[Any]:
    """The key of the row that comes ``after`` so many others, which is a parameter; nothing where there are fewer."""
    keys = place.in_order(place.beyond(rows.with_only_columns(place.order.key.label("key"))))
    return keys.limit(1).offset(bindparam(after))


def first_of_every(passing: Select[Any], place: Place) -> Ids:
    """The ids of the first rows of ``passing``, by collecting all that pass first."""
    keyed = passing.with_only_columns(place.order.id.label("id"), place.order.key.label("key"))
    return place.first_of(place.beyond(keyed).cte("every").prefix_with("MATERIALIZED"))
