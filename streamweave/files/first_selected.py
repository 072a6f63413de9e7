"""The beginning of the list of files that pass filters, for those who see them all, and those who see a part."""

import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from streamweave.access.access_scope import Openings
from streamweave.access.visible_page import stretched
from streamweave.catalog.pages import ROWS, Bookmark, FilteredList, Ids, Order, Place, Values, filtered_list
from streamweave.files.leading_filters import leading_filter, place_among, rows_of
from streamweave.files.open_lists import KINDS_OF_LISTS, OpenList, open_list
from streamweave.files.selection import Filters, Selection, records_that_pass

Found = Sequence[uuid.UUID]


def first_selected(session: Session, selection: Selection, begin: Bookmark) -> Found:
    """The ids of the first files of ``selection``, in no order. Raises ``InvalidInput``."""
    asked, values = _list(selection.filters, begin.place), {**selection.values, **begin.values}
    return asked.first(session, values) if isinstance(asked, FilteredList) else session.scalars(asked, values).all()


def first_selected_of(
    session: Session, openings: Openings, selection: Selection, begin: Bookmark, *, withdrawn_too: bool
) -> Found:
    """The same of what is open to somebody."""
    if not openings.kinds:
        return []
    asked = open_list(openings.kinds, selection.filters, begin.place, withdrawn_too=withdrawn_too)
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


def _ends(session: Session, asked: OpenList, openings: Openings, values: Values) -> Sequence[Any]:
    """Where so much is open; and where so much has passed the leading filter, if there is one, and few files have.

    None for what ends before.
    """
    if asked.ends is None:
        return [None]
    lengths = {**stretched(openings, asked.length), "stretch": asked.length, "few": asked.few_length}
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
