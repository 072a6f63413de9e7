"""Who may see which files. Every query on files, versions and transfers goes through this one rule.

An admin sees all. Others see what they own, and what is granted (the file itself, its instrument, or a folder that it
lies in) to them, to a group of theirs, or to a project that they or a group of theirs belong to; but nothing that was
withdrawn. ``openings`` says what is open to whom, ``access_paths`` which files that is.
"""

import uuid
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    exists,
    false,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from streamweave.access.access_paths import AccessPath, Bind, access_paths, parameter, values_of
from streamweave.access.access_scope import AccessScope, Kind, access_scope_of
from streamweave.catalog.tables import FileRecord, FileVersion, User

FEW = 1_000  # files, for each of which an index can be asked

_WITHDRAWN = aliased(FileRecord, name="withdrawn")


def visible_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` that holds for what ``viewer`` may see."""
    if viewer.is_admin:
        return true()
    return and_(FileRecord.withdrawn_at.is_(None), opened_files(session, viewer))


def visible_versions(session: Session, viewer: User) -> ColumnElement[bool]:
    """The same on ``FileVersion``, where nothing of the record has to be looked at."""
    if viewer.is_admin:
        return true()
    openings = access_scope_of(session, viewer)
    # each once: the planner then knows how many they are, and looks them all up only if they are few
    theirs = covered_ids(openings.kinds, values_of(openings), once=True)
    return and_(FileVersion.file_id.in_(theirs), not_withdrawn(FileVersion.file_id))


def opened_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """The condition for what ``viewer`` may see, or might if it had not been withdrawn: they may read its tombstone."""
    return true() if viewer.is_admin else covered(access_scope_of(session, viewer))


def visible_by(kinds: tuple[Kind, ...]) -> ColumnElement[bool]:
    """The same for all whose openings are of these kinds; ``Openings.values`` are the values of its parameters."""
    return and_(FileRecord.withdrawn_at.is_(None), covered_by(kinds))


def not_withdrawn(file_id: SQLColumnExpression[uuid.UUID]) -> ColumnElement[bool]:
    """The condition on an id, where nothing else of the record has to be looked at: few are withdrawn."""
    return ~exists().where(_WITHDRAWN.id == file_id, _WITHDRAWN.withdrawn_at.is_not(None))


def covered(openings: AccessScope) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the files that are open."""
    return covered_by(openings.kinds, values_of(openings))


def covered_by(kinds: tuple[Kind, ...], bind: Bind = parameter) -> ColumnElement[bool]:
    """The same for all whose openings are of these kinds; ``Openings.values`` are the values of the parameters."""
    # one set of ids: the planner can walk the list and look each file up in it, or begin with the set if that is small
    return FileRecord.id.in_(covered_ids(kinds, bind)) if kinds else false()


def covered_ids(
    kinds: tuple[Kind, ...], bind: Bind = parameter, *, once: bool = False
) -> CompoundSelect[tuple[uuid.UUID]]:
    """The ids of what is open, some of them repeatedly unless each is to come ``once``."""
    return (union if once else union_all)(*(way.rows(way.id.label("id")) for way in access_paths(kinds, bind)))


def few_covered(session: Session, openings: AccessScope) -> list[uuid.UUID] | None:
    """The ids of all files that are open, if they are few; None if they are many."""
    found = session.scalars(_some_covered(openings.kinds), {**openings.values, "at_most": FEW + 1}).all()
    return list(found) if len(found) <= FEW else None


@cache
def _some_covered(kinds: tuple[Kind, ...]) -> Select[Any]:
    return select(covered_ids(kinds).limit(bindparam("at_most")).subquery().c.id)


def covered_one_by_one(kinds: tuple[Kind, ...], *, few: bool = False) -> ColumnElement[bool]:
    """The same as ``covered_by``, asked for each file: for who walks a list in order, and stops when they have enough.

    Or for who has a ``few`` files at hand. ``Openings.values`` are the values of its parameters.
    """
    return or_(*(_opens(way, few=few) for way in access_paths(kinds, record=FileRecord)))


def _opens(way: AccessPath, *, few: bool) -> ColumnElement[bool]:
    if not way.of_grants:
        return way.among
    its_grants = select(way.id).where(way.id == FileRecord.id, way.among)
    # for EXISTS the planner may hash all grants at once, which is quicker only for many files; for a value it can't
    return its_grants.limit(1).scalar_subquery().is_not(None) if few else its_grants.exists()
