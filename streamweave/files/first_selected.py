"""The beginning of the list of files that pass filters, for those who see them all, and those who see a part."""

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from streamweave.access.first_visible import first_covered
from streamweave.access.open_stretch import OpenStretch, all_open, open_stretch
from streamweave.access.openings import NOTHING, Openings
from streamweave.catalog.tables import FileRecord, FileVersion, User
from streamweave.files.selection import EVERYTHING, Selection, records_shown
from streamweave.filtered_lists import Ids, first_of_every, first_passing
from streamweave.pages import Order, Place

STRETCHES = (1_000, 12_000)  # files that are open: enough for a common filter, and for one that passes one in twenty


def first_selected(session: Session, selection: Selection, place: Place) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the first of ``selection`` from ``place`` on. Raises ``InvalidInput``."""
    there = place if selection.state is None else _in_states(place)
    records, whole = selection.records(), selection.in_order
    if selection == whole:
        return FileRecord.id.in_(there.applied(records.with_only_columns(there.order.id)))
    return FileRecord.id.in_(first_passing(session, records, whole.records(), there))


def first_selected_of(
    session: Session, viewer: User, openings: Openings, selection: Selection, place: Place
) -> ColumnElement[bool]:
    """The same of what is open to ``viewer``."""
    records = records_shown(viewer, selection)
    is_ordered = place.order.key is FileRecord.first_discovered_at and selection.in_order != EVERYTHING
    if openings == NOTHING or not is_ordered:
        return first_covered(openings, records, place)
    there = place if selection.state is None else _in_states(place)
    for length in STRETCHES:
        stretch = open_stretch(session, openings, place, length)
        found = session.scalars(there.applied(_near(records, selection, stretch, there))).all()
        if len(found) == there.limit:
            return FileRecord.id.in_(found)
        if stretch.horizon is None:
            break
    theirs = all_open(openings, place)
    met = there.beyond(_in_order_of_discovery(selection).join(theirs, theirs.c.id == there.order.id))
    # set apart, as the planner may hash either side of a join, and needs nothing but indexes for this one
    every = met.with_only_columns(there.order.id.label("id")).cte("met").prefix_with("MATERIALIZED")
    return FileRecord.id.in_(first_of_every(records.where(there.order.id.in_(select(every.c.id))), there))


def _near(records: Select[Any], selection: Selection, stretch: OpenStretch, place: Place) -> Ids:
    """The ids of those of ``records`` that lie in the stretch; more than a page of them may be left out."""
    met = _in_order_of_discovery(selection).join(stretch.ids, stretch.ids.c.id == place.order.id)
    met = place.beyond(met.with_only_columns(place.order.id))
    if stretch.horizon is not None:
        met = met.where(place.order.before(stretch.horizon))
    if selection == selection.in_order:
        # all of them will do, but for what was withdrawn
        met = replace(place, limit=2 * place.limit).applied(met)
    return records.where(place.order.id.in_(met)).with_only_columns(place.order.id)


def _in_order_of_discovery(selection: Selection) -> Select[Any]:
    """Those of its filters that an index has in this order, asked in a way that needs nothing but that index."""
    if selection.state is None:
        return selection.in_order.records()
    return select(FileVersion).where(FileVersion.is_newest, FileVersion.state == selection.state)


def _in_states(place: Place) -> Place:
    """The same place among versions, which repeat when their files were discovered: an index has each state's so."""
    if place.order.key is not FileRecord.first_discovered_at:
        return place
    return replace(place, order=Order(FileVersion.first_discovered_at, FileVersion.file_id, place.order.newest_first))
