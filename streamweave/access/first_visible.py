"""The beginning of a long list for somebody who sees a part of it, without walking past what they may not see.

Each way in which files are open (owning them, each grantee's grants on files, each granted instrument, each granted
folder) is asked for its own first rows, by the index that has them in order: the list's first rows are among those. The
rule is that of ``visible_files``, taken apart; a test holds the two against each other.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, false, literal, select, union

from streamweave.access.openings import Openings
from streamweave.access.visibility import within
from streamweave.catalog.tables import FileGrant, FileRecord
from streamweave.catalog.tables.file_records import path_in_byte_order
from streamweave.pages import Order, Place

_PATH = path_in_byte_order(FileRecord.source_path)


def first_covered(openings: Openings, records: Select[Any], place: Place) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the first of ``records`` from ``place`` on that are open.

    ``records`` selects from ``FileRecord``, with all of the list's filters but without visibility.
    """
    first = [_first(way, there) for way, there in _ways(openings, records, place)]
    return FileRecord.id.in_(place.first_of(union(*first).subquery())) if first else false()


def _first(way: Select[Any], place: Place) -> Select[Any]:
    keyed = way.with_only_columns(place.order.id.label("id"), place.order.key.label("key"))
    first = place.applied(keyed).correlate(None).subquery()
    return select(first.c.id, first.c.key)


def _ways(openings: Openings, records: Select[Any], place: Place) -> Iterator[tuple[Select[Any], Place]]:
    by_grant = records.join(FileGrant, FileGrant.file_id == FileRecord.id)
    for grantee_id in openings.grantees:
        yield by_grant.where(FileGrant.grantee_id == grantee_id), in_grants(place)
    yield from ways_without_grants(openings, records, place)


def ways_without_grants(openings: Openings, records: Select[Any], place: Place) -> Iterator[tuple[Select[Any], Place]]:
    """Those of ``records`` that are open by other ways than grants on files: each way, and the place in its order."""
    if openings.owner_id is not None:
        yield records.where(FileRecord.owner_id == openings.owner_id), place
    for instrument_id in openings.instruments:
        yield records.where(FileRecord.instrument_id == instrument_id), place
    for instrument_id, prefix in openings.folders:
        below = within(_PATH, literal(prefix, Text))
        yield records.where(FileRecord.instrument_id == instrument_id, below), place


def in_grants(place: Place) -> Place:
    """The same place among grants, which repeat when their files were discovered: their index is in that order."""
    if place.order.key is not FileRecord.first_discovered_at:
        return place
    return replace(place, order=Order(FileGrant.discovered_at, FileGrant.file_id, place.order.newest_first))
