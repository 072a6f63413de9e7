"""Long lists in pages: each page ends with a cursor, from which the next one goes on, whatever was added meanwhile."""

import base64
import binascii
import hashlib
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, SQLColumnExpression, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.errors import InvalidInput

Row = TypeVar("Row")
Key = datetime | int | str

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBER = struct.Struct(">q")
ID_BYTES = 16
DIGEST_BYTES = 4


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


@dataclass(frozen=True, slots=True)
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

    def before(self, horizon: Key) -> ColumnElement[bool]:
        """The condition for what comes before the key ``horizon``, or has it."""
        return self.key >= horizon if self.newest_first else self.key <= horizon


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a list: at most ``limit`` rows after the key and id of ``after``, or from the beginning."""

    order: Order
    after: tuple[Key, uuid.UUID] | None
    limit: int

    def applied(self, query: Select[Any]) -> Select[Any]:
        """The rows of ``query`` that lie there, in order."""
        return self._in_order(self.beyond(query), self.order.key, self.order.id)

    def beyond(self, query: Select[Any]) -> Select[Any]:
        """All rows of ``query`` after the key and id of ``after``."""
        if self.after is None:
            return query
        place, after = tuple_(self.order.key, self.order.id), tuple_(*map(literal, self.after))
        return query.where(place < after if self.order.newest_first else place > after)

    def first_of(self, rows: FromClause) -> Select[Any]:
        """The ids of the first of ``rows``, which all lie there, and have the columns ``key`` and ``id``."""
        return self._in_order(select(rows.c.id), rows.c.key, rows.c.id)

    def _in_order(
        self, query: Select[Any], key: SQLColumnExpression[Any], row_id: SQLColumnExpression[Any]
    ) -> Select[Any]:
        columns = (key.desc(), row_id.desc()) if self.order.newest_first else (key, row_id)
        return query.order_by(*columns).limit(self.limit)


Narrowing = Callable[[Place], ColumnElement[bool]]


def page_of(
    session: Session,
    query: Select[tuple[Row]],
    order: Order,
    request: PageRequest,
    *,
    scope: str = "",
    narrowed: Narrowing | None = None,
) -> Page[Row]:
    """One page of ``query``. Raises ``InvalidInput`` for a cursor that we did not make for this list.

    ``scope`` says what else the list depends on, such as its filters: with another scope it is another list.
    ``narrowed`` makes a further condition, which may hold for the rows of one place only.
    """
    list_name = f"{order.list_name} {scope} {request.scope}"
    after = None if request.cursor is None else read_cursor(list_name, request.cursor, order.kind)
    place = Place(order, after, request.limit + 1)
    if narrowed is not None:
        query = query.where(narrowed(place))
    found = session.execute(place.applied(query.add_columns(order.key, order.id))).all()
    rows = found[: request.limit]
    next_cursor = make_cursor(list_name, *rows[-1][1:]) if len(found) > request.limit else None
    return Page([row[0] for row in rows], next_cursor)


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
