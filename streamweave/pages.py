"""Long lists in pages: each page ends with a cursor, from which the next one goes on, whatever was added meanwhile."""

import base64
import binascii
import hashlib
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.errors import InvalidInput

Row = TypeVar("Row")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
KEY = struct.Struct(">q16s")
DIGEST_BYTES = 4


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most ``limit`` rows, after the place that ``cursor`` names; from the beginning without one."""

    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of the next page; None on the last page."""

    rows: list[Row]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A list's order: by a time, then by id, so that no two rows stand in the same place."""

    time: InstrumentedAttribute[datetime]
    id: InstrumentedAttribute[uuid.UUID]
    newest_first: bool = False

    @property
    def list_name(self) -> str:
        """What a cursor is bound to: one list's cursor means nothing in another list."""
        return f"{self.time} {self.newest_first}"


def page_of(session: Session, query: Select[tuple[Row]], order: Order, request: PageRequest) -> Page[Row]:
    """One page of ``query``. Raises ``InvalidInput`` for a cursor that we did not make for this list."""
    place = tuple_(order.time, order.id)
    if request.cursor is not None:
        after = tuple_(*map(literal, read_cursor(order.list_name, request.cursor)))
        query = query.where(place < after if order.newest_first else place > after)
    columns = (order.time.desc(), order.id.desc()) if order.newest_first else (order.time, order.id)
    placed = query.add_columns(order.time, order.id).order_by(*columns).limit(request.limit + 1)
    found = session.execute(placed).all()
    rows = found[: request.limit]
    next_cursor = make_cursor(order.list_name, *rows[-1][1:]) if len(found) > request.limit else None
    return Page([row[0] for row in rows], next_cursor)


def make_cursor(list_name: str, time: datetime, row_id: uuid.UUID) -> str:
    """A place in a list, as URL-safe text that means nothing to others."""
    key = KEY.pack((time - EPOCH) // MICROSECOND, row_id.bytes)
    return base64.urlsafe_b64encode(key + _digest(list_name, key)).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str) -> tuple[datetime, uuid.UUID]:
    """The place that ``make_cursor`` wrote down for the same list. Raises ``InvalidInput`` for anything else."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key, digest = packed[: KEY.size], packed[KEY.size :]
        microseconds, row_id = KEY.unpack(key)
    except (ValueError, binascii.Error, struct.error) as error:
        raise InvalidInput("cursor", "is not a cursor of this list") from error
    if digest != _digest(list_name, key):
        raise InvalidInput("cursor", "is not a cursor of this list")
    return EPOCH + microseconds * MICROSECOND, uuid.UUID(bytes=row_id)


def _digest(list_name: str, key: bytes) -> bytes:
    return hashlib.blake2b(list_name.encode() + b"\0" + key, digest_size=DIGEST_BYTES).digest()
