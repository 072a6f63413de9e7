"""Who may see which files. Every query on files, versions and transfers goes through this one rule.

An admin sees all. Others see what they own, and what is granted (the file itself, its instrument, or a folder that it
lies in) to them, to a group of theirs, or to a project that they or a group of theirs belong to; but nothing that was
withdrawn. ``access_scope`` says what a viewer may see, ``access_paths`` which files that is.
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

FEW = 1_000  # files: few enough to look up each in an index

_WITHDRAWN = aliased(FileRecord, name="withdrawn")


def visible_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` that holds for what ``viewer`` may see."""
    if viewer.is_admin:
        return true()
    return and_(FileRecord.withdrawn_at.is_(None), opened_files(session, viewer))


def visible_versions(session: Session, viewer: User) -> ColumnElement[bool]:
    """The same on ``FileVersion``, without reading records (benchmark row "summary of 30 days, 5 % of all files")."""
    if viewer.is_admin:
        return true()
    scope = access_scope_of(session, viewer)
    # each once: the planner then knows how many they are, and looks up all of them only if they are few
    theirs = covered_ids(scope.kinds, values_of(scope), once=True)
    return and_(FileVersion.file_id.in_(theirs), not_withdrawn(FileVersion.file_id))


def opened_files(session: Session, viewer: User) -> ColumnElement[bool]:
    """As ``visible_files``, with the withdrawn files among them: their tombstones may be read."""
    return true() if viewer.is_admin else covered(access_scope_of(session, viewer))


def visible_by(kinds: tuple[Kind, ...]) -> ColumnElement[bool]:
    """The same for all scopes with these kinds; ``AccessScope.values`` are the values of its parameters."""
    return and_(FileRecord.withdrawn_at.is_(None), covered_by(kinds))


def not_withdrawn(file_id: SQLColumnExpression[uuid.UUID]) -> ColumnElement[bool]:
    """The condition on an id, without reading the record: few files are withdrawn, and an index has them."""
    return ~exists().where(_WITHDRAWN.id == file_id, _WITHDRAWN.withdrawn_at.is_not(None))


def covered(scope: AccessScope) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` for the files that are open."""
    return covered_by(scope.kinds, values_of(scope))


def covered_by(kinds: tuple[Kind, ...], bind: Bind = parameter) -> ColumnElement[bool]:
    """The same for all scopes with these kinds; ``AccessScope.values`` are the values of its parameters."""
    # one set of ids: the planner can walk the list and probe the set, or begin with the set if it is small
    return FileRecord.id.in_(covered_ids(kinds, bind)) if kinds else false()


def covered_ids(
    kinds: tuple[Kind, ...], bind: Bind = parameter, *, once: bool = False
) -> CompoundSelect[tuple[uuid.UUID]]:
    """The ids of open files; with ``once`` each once, else some repeatedly."""
    return (union if once else union_all)(*(path.rows(path.id.label("id")) for path in access_paths(kinds, bind)))


def few_covered(session: Session, scope: AccessScope) -> list[uuid.UUID] | None:
    """The ids of all open files if they are at most ``FEW``, else None (benchmark row "transfers, one file")."""
    found = session.scalars(_some_covered(scope.kinds), {**scope.values, "at_most": FEW + 1}).all()
    return list(found) if len(found) <= FEW else None


@cache
def _some_covered(kinds: tuple[Kind, ...]) -> Select[Any]:
    return select(covered_ids(kinds).limit(bindparam("at_most")).subquery().c.id)


def covered_one_by_one(kinds: tuple[Kind, ...], *, few: bool = False) -> ColumnElement[bool]:
    """The same as ``covered_by``, evaluated file by file: for walks that stop at a full page, or for a ``few`` files.

    ``AccessScope.values`` are the values of its parameters (benchmark row "transfers, 5 % of all files").
    """
    return or_(*(_opens(path, few=few) for path in access_paths(kinds, record=FileRecord)))


def _opens(path: AccessPath, *, few: bool) -> ColumnElement[bool]:
    if not path.of_grants:
        return path.among
    its_grants = select(path.id).where(path.id == FileRecord.id, path.among)
    # for EXISTS the planner may hash all grants at once, which is faster only for many files; for a value it can't
    return its_grants.limit(1).scalar_subquery().is_not(None) if few else its_grants.exists()
