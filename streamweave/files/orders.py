"""The orders in which files can be listed. Each ends with the id, so that pages neither repeat nor miss a file."""

from functools import cache
from typing import Any, Literal

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from streamweave.catalog.pages import Order
from streamweave.catalog.tables import FileRecord
from streamweave.catalog.tables.files import path_in_byte_order

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
