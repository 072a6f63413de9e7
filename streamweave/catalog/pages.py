"""Long lists in pages: each page ends with a cursor, from which the next one continues, whatever was added since."""

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
    """A list's order: by a key (a time, a whole number or a text), then by id, so that no two rows are equal."""

    key: InstrumentedAttribute[datetime] | ColumnElement[Any]
    id: InstrumentedAttribute[uuid.UUID]
    newest_first: bool = False

    @property
    def list_name(self) -> str:
        """What a cursor is bound to: it is refused in another list."""
        return f"{self.key} {self.newest_first}"

    @property
    def kind(self) -> type[Key]:
        """The key's type."""
        kind: type[Key] = self.key.type.python_type
        return kind

    def before(self, bound: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition for rows whose key comes before ``bound``, or equals it."""
        return self.key >= bound if self.newest_first else self.key <= bound


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: at the beginning of the list, or ``continued`` after a certain row.

    Which row that is, and how many rows are wanted, are parameters of the statement; ``Bookmark`` has their values. So
    a statement that was written for one page serves for all.
    """

    order: Order
    continued: bool

    def applied(self, query: Select[Any]) -> Select[Any]:
        """The page's rows of ``query``, in order."""
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
        """The ids of the first of ``rows``, which all come after it, and have the columns ``key`` and ``id``."""
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

    def page(self, found: Sequence[Any]) -> Page[Any]:
        """The page of what was found there: rows, the last two columns of which are the order's key and id."""
        limit = self.values[ROWS.key] - 1
        rows = found[:limit]
        next_cursor = make_cursor(self.list_name, *rows[-1][-2:]) if len(found) > limit else None
        return Page(list(rows), next_cursor)


def bookmark(order: Order, request: PageRequest, scope: str = "") -> Bookmark:
    """Where the page begins that is asked for. Raises ``InvalidInput`` for a cursor that we did not make for this list.

    ``scope`` says what else the list depends on, such as its filters: with another scope it is another list. One row
    more than the page has is read, which shows whether another page follows.
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
    """A place in a list, as opaque URL-safe text."""
    place = row_id.bytes + _packed(key)
    return base64.urlsafe_b64encode(_digest(list_name, place) + place).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str, kind: type[Key] = datetime) -> tuple[Key, uuid.UUID]:
    """The place that ``make_cursor`` encoded for the same list. Raises ``InvalidInput`` for anything else."""
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
