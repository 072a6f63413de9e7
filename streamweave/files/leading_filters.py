"""The filter of a list that an index has in the list's own order: the index is walked, and the other filters follow."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Select, select

from streamweave.catalog.pages import Order, Place
from streamweave.catalog.tables import FileRecord, FileVersion
from streamweave.files.selection import Filters, passing

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
