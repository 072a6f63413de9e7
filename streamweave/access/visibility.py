"""Who may see which files. Every query on files, versions and transfers goes through this one rule.

An admin sees all. Others see what they own, and what is granted (the file itself, its instrument, or a folder that it
lies in) to them, to a group of theirs, or to a project that they or a group of theirs belong to; but nothing that was
withdrawn. ``openings`` says what is open to whom, ``covered`` which files that is.
"""

import uuid
from collections.abc import Iterator

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from streamweave.access.openings import Openings, openings_of
from streamweave.catalog.tables import FileGrant, FileRecord, User
from streamweave.catalog.tables.file_records import path_in_byte_order

FEW = 1_000  # files, for each of which an index can be asked

_OPENED = aliased(FileRecord, name="opened")
_PATH = path_in_byte_order(_OPENED.source_path)


def visible_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` that holds for what ``viewer`` may see."""
    if viewer.is_admin:
        return true()
    return and_(FileRecord.withdrawn_at.is_(None), opened_files(session, viewer))


def opened_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """The condition for what ``viewer`` may see, or might if it had not been withdrawn: they may read its tombstone."""
    return true() if viewer.is_admin else covered(openings_of(session, viewer))


def covered(openings: Openings) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the files that are open."""
    # one set of ids: the planner can walk the list and look each file up in it, or begin with the set if that is small
    return FileRecord.id.in_(union_all(*_ways(openings)))


def _ways(openings: Openings) -> Iterator[Select[tuple[uuid.UUID]]]:
    yield select(FileGrant.file_id).where(FileGrant.grantee_id == any_(literal(list(openings.grantees), ARRAY(Uuid))))
    if openings.owner_id is not None:
        yield select(_OPENED.id).where(_OPENED.owner_id == openings.owner_id)
    if openings.instruments:
        instruments = literal(list(openings.instruments), ARRAY(Uuid))
        yield select(_OPENED.id).where(_OPENED.instrument_id == any_(instruments))
    if openings.folders:
        ids, prefixes = zip(*openings.folders, strict=True)
        folders = func.unnest(literal(list(ids), ARRAY(Uuid)), literal(list(prefixes), ARRAY(Text)))
        folder = folders.table_valued("instrument_id", "path_prefix").render_derived(name="folder")
        below = within(_PATH, folder.c.path_prefix)
        yield select(_OPENED.id).join(folder, and_(_OPENED.instrument_id == folder.c.instrument_id, below))


def few_covered(session: Session, openings: Openings) -> list[uuid.UUID] | None:
    """The ids of all files that are open, if they are few; None if they are many."""
    found = session.scalars(union_all(*_ways(openings)).limit(FEW + 1)).all()
    return list(found) if len(found) <= FEW else None


def covered_one_by_one(openings: Openings) -> ColumnElement[bool]:
    """The same as ``covered``, asked for each file: for who walks a list in order, and stops when they have enough."""
    granted = FileGrant.grantee_id == any_(literal(list(openings.grantees), ARRAY(Uuid)))
    path = path_in_byte_order(FileRecord.source_path)
    return or_(
        exists().where(FileGrant.file_id == FileRecord.id, granted),
        FileRecord.owner_id == openings.owner_id if openings.owner_id is not None else false(),
        FileRecord.instrument_id == any_(literal(list(openings.instruments), ARRAY(Uuid))),
        *(
            and_(FileRecord.instrument_id == instrument_id, within(path, literal(prefix, Text)))
            for instrument_id, prefix in openings.folders
        ),
    )


def within(path: ColumnElement[str], prefix: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a path, as ``path_in_byte_order`` has it, lies below a folder."""
    # whole components are one range of the index: in bytes' order "0" follows "/"
    return and_(path >= prefix.concat("/"), path < prefix.concat("0"))
