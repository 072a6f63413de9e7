"""The beginning of a long list for somebody who sees a part of it, without walking past what they may not see.

Each way in which files are open to a viewer (owning them, each grantee's grants on files, each granted instrument, each
granted folder) is asked for its own first rows, by the index that has them in order: the list's first rows are among
those. The rule is that of ``visible_files``, taken apart; a test holds the two against each other.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Uuid,
    and_,
    any_,
    func,
    literal,
    select,
    true,
    union_all,
)

from streamweave.access.visibility import grantees
from streamweave.catalog.tables import FileGrant, FileRecord, InstrumentGrant, User
from streamweave.catalog.tables.file_records import path_in_byte_order
from streamweave.pages import Order, Place


def first_visible(viewer: User, query: Select[Any], place: Place) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the first rows of ``query`` from ``place`` on that ``viewer`` may see.

    ``query`` is over ``FileRecord``, with all of the list's filters but without visibility. Admins, who see all, need
    none of it.
    """
    ids = query.with_only_columns(FileRecord.id, maintain_column_froms=False).where(FileRecord.withdrawn_at.is_(None))
    whom = func.unnest(_all_grantees(viewer)).table_valued("id").render_derived()
    wholes = _granted_places(viewer, InstrumentGrant.path_prefix == "")
    folders = _granted_places(viewer, InstrumentGrant.path_prefix != "")
    path, prefix = path_in_byte_order(FileRecord.source_path), folders.c.path_prefix
    within = and_(path >= prefix.concat("/"), path < prefix.concat("0"))
    by_grant = ids.join(FileGrant, FileGrant.file_id == FileRecord.id)
    return FileRecord.id.in_(
        union_all(
            select(place.applied(ids.where(FileRecord.owner_id == literal(viewer.id))).correlate(None).subquery().c.id),
            _first_of_each(whom, by_grant.where(FileGrant.grantee_id == whom.c.id), _in_grants(place)),
            _first_of_each(wholes, ids.where(FileRecord.instrument_id == wholes.c.instrument_id), place),
            _first_of_each(folders, ids.where(FileRecord.instrument_id == folders.c.instrument_id, within), place),
        )
    )


def _granted_places(viewer: User, which: ColumnElement[bool]) -> Subquery:
    places = select(InstrumentGrant.instrument_id, InstrumentGrant.path_prefix).where(which)
    return places.where(InstrumentGrant.grantee_id == any_(_all_grantees(viewer))).subquery()


def _all_grantees(viewer: User) -> ColumnElement[Any]:
    """Worked out once, before the rest is asked."""
    return func.array(grantees(viewer).scalar_subquery(), type_=ARRAY(Uuid))


def _first_of_each(opening: FromClause, ids: Select[tuple[UUID]], place: Place) -> Select[tuple[UUID]]:
    first = place.applied(ids).correlate(opening).lateral()
    return select(first.c.id).select_from(opening).join(first, true())


def _in_grants(place: Place) -> Place:
    """The same place among grants, which repeat when their files were discovered: their index is in that order."""
    if place.order.key is not FileRecord.first_discovered_at:
        return place
    return replace(place, order=Order(FileGrant.discovered_at, FileGrant.file_id, place.order.newest_first))
