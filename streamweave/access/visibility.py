"""Who may see which files. Every query on files, versions and transfers goes through this one rule.

An admin sees all. Others see what they own, and what is granted (the file itself, its instrument, or a folder that it
lies in) to them, to a group of theirs, or to a project that they or a group of theirs belong to; but nothing that was
withdrawn.

An ``AccessScope`` is what a viewer may see, as ids of owners, grantees, instruments, and folders; no file is read for
it. It is small and made of plain values, so queries on files stay short, and PostgreSQL can estimate from its
statistics how many files each value selects. An ``AccessPath`` is one of the four ways to see a file, as SQL; queries
combine them: as a condition on a file, or each for its own first rows (``files.listing``).
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    SQLColumnExpression,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.type_api import TypeEngine

from streamweave.catalog.tables import (
    FileGrant,
    FileRecord,
    FileVersion,
    Group,
    GroupMember,
    Instrument,
    InstrumentGrant,
    Project,
    ProjectMember,
    User,
)
from streamweave.catalog.tables.files import path_in_byte_order

Folder = tuple[uuid.UUID, str]

Bind = Callable[[str, TypeEngine[Any]], BindParameter[Any]]

FEW = 1_000  # files: few enough to look up each in an index
OPENED = aliased(FileRecord, name="opened")
_WITHDRAWN = aliased(FileRecord, name="withdrawn")
# as those further below: written once, and executed for each request
_PROJECT = select(Project.id).where(Project.id == bindparam("project_id"), Project.deleted_at.is_(None))


class Kind(StrEnum):
    """How a viewer can have access to a file."""

    OWNING = "owning"
    GRANT = "grant"  # on the file itself
    INSTRUMENT = "instrument"  # a grant on its instrument
    FOLDER = "folder"  # a grant on a folder above it


@dataclass(frozen=True, slots=True)
class AccessScope:
    """What ``owner_id`` owns, what is granted to any of ``grantees``, whole instruments, and folders of others.

    No folder lies in another one, or on an instrument that is open as a whole.
    """

    owner_id: uuid.UUID | None = None
    grantees: tuple[uuid.UUID, ...] = ()
    instruments: tuple[uuid.UUID, ...] = ()
    folders: tuple[Folder, ...] = ()

    def on(self, instrument_id: uuid.UUID) -> "AccessScope":
        """The part of the scope on one instrument; if all of it is open, that alone."""
        if instrument_id in self.instruments:
            return AccessScope(instruments=(instrument_id,))
        folders = tuple(folder for folder in self.folders if folder[0] == instrument_id)
        return AccessScope(self.owner_id, self.grantees, folders=folders)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of access paths in use: viewers with the same kinds are served by the same statements."""
        there = {
            Kind.OWNING: self.owner_id is not None,
            Kind.GRANT: bool(self.grantees),
            Kind.INSTRUMENT: bool(self.instruments),
            Kind.FOLDER: bool(self.folders),
        }
        return tuple(kind for kind, is_there in there.items() if is_there)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters of ``access_paths``."""
        return {
            "owners": [] if self.owner_id is None else [self.owner_id],
            "grantees": list(self.grantees),
            "instruments": list(self.instruments),
            "folder_instruments": [instrument_id for instrument_id, _ in self.folders],
            "folder_prefixes": [prefix for _, prefix in self.folders],
        }

    @property
    def with_whole_instruments(self) -> "AccessScope":
        """The same with the whole instrument in place of each folder: more files, but in an index's order."""
        instruments = {*self.instruments, *(instrument_id for instrument_id, _ in self.folders)}
        return replace(self, instruments=tuple(sorted(instruments)), folders=())


def access_scope_of(session: Session, viewer: User) -> AccessScope:
    """The scope of ``viewer``, who is no admin.

    What they own, and what is granted to them, to a group of theirs, or to a project that they or a group of theirs
    belong to. Deleted groups and projects have no members.
    """
    return _scope(session.execute(_OF_VIEWER, {"viewer_id": viewer.id}).all(), viewer.id)


def access_scope_of_project(session: Session, viewer: User, project_id: uuid.UUID) -> AccessScope:
    """What is granted to a project; nothing for viewers who don't belong to it."""
    query = _OF_PROJECT if viewer.is_admin else _OF_OWN_PROJECT
    return _scope(session.execute(query, {"viewer_id": viewer.id, "project_id": project_id}).all(), None)


def every_instrument(session: Session) -> AccessScope:
    """All instruments, deleted ones too: the scope of who sees everything, where a list is merged from theirs."""
    return AccessScope(instruments=tuple(session.scalars(select(Instrument.id).order_by(Instrument.id))))


def _scope(rows: Any, owner_id: uuid.UUID | None) -> AccessScope:
    granted = {(instrument_id, prefix) for _, instrument_id, prefix in rows if instrument_id is not None}
    outermost: list[Folder] = []
    # in this order what is in a folder comes right after it
    for place in sorted(granted, key=_opened_paths):
        if not outermost or not _lies_in(place, outermost[-1]):
            outermost.append(place)
    return AccessScope(
        owner_id=owner_id,
        grantees=tuple(sorted({grantee_id for grantee_id, *_ in rows})),
        instruments=tuple(instrument_id for instrument_id, prefix in outermost if not prefix),
        folders=tuple(place for place in outermost if place[1]),
    )


def _opened_paths(place: Folder) -> tuple[uuid.UUID, bytes]:
    instrument_id, prefix = place
    return instrument_id, f"{prefix}/".encode() if prefix else b""


def _lies_in(place: Folder, other: Folder) -> bool:
    (instrument_id, paths), (other_id, other_paths) = _opened_paths(place), _opened_paths(other)
    return instrument_id == other_id and paths.startswith(other_paths)


def _grantees() -> CompoundSelect[tuple[uuid.UUID]]:
    """The ids of all grantees whose grants the viewer has: themselves, their groups and their projects."""
    me = bindparam("viewer_id", type_=User.id.type)
    groups = (
        select(GroupMember.group_id)
        .join(Group, Group.id == GroupMember.group_id)
        .where(GroupMember.user_id == me, Group.deleted_at.is_(None))
    )
    projects = (
        select(ProjectMember.project_id)
        .join(Project, Project.id == ProjectMember.project_id)
        .where(ProjectMember.member_id.in_(union(select(me), groups)), Project.deleted_at.is_(None))
    )
    return union(select(me.label("id")), groups, projects)


def _with_places(whom: Select[tuple[uuid.UUID]] | CompoundSelect[tuple[uuid.UUID]]) -> Select[Any]:
    """Each grantee with every instrument or folder that is granted to it; with nulls if there is none."""
    grantee = whom.cte("grantee")
    granted = InstrumentGrant.grantee_id == grantee.c.id
    return select(grantee.c.id, InstrumentGrant.instrument_id, InstrumentGrant.path_prefix).outerjoin_from(
        grantee, InstrumentGrant, granted
    )


_OF_VIEWER = _with_places(_grantees())
_OF_PROJECT = _with_places(_PROJECT)
_OF_OWN_PROJECT = _with_places(_PROJECT.where(Project.id.in_(_grantees())))


@dataclass(frozen=True, slots=True)
class AccessPath:
    """The rows of ``table`` that one kind of access opens.

    ``each`` holds the values (owners, grantees, instruments, folders) one by one, and ``by_each`` is the condition for
    what one of them opens: a range of an index. ``among`` is the condition for what any of them opens, of which
    PostgreSQL can estimate the size; except of folders, which are ``ranges`` only.
    """

    table: Any
    each: TableValuedAlias
    by_each: ColumnElement[bool]
    among: ColumnElement[bool]
    ranges: bool = False

    @property
    def of_grants(self) -> bool:
        """Whether its rows are grants, which repeat when their files were discovered."""
        return self.table is FileGrant

    @property
    def id(self) -> Any:
        return self.table.file_id if self.of_grants else self.table.id

    @property
    def discovered_at(self) -> Any:
        return self.table.discovered_at if self.of_grants else self.table.first_discovered_at

    def rows(self, *columns: Any) -> Select[Any]:
        """All rows that it opens."""
        rows = select(*columns).select_from(self.table)
        return rows.join(self.each, self.by_each) if self.ranges else rows.where(self.among)


def parameter(name: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter whose value is in ``AccessScope.values``: the statement serves for all viewers."""
    return bindparam(name, type_=kind)


def values_of(scope: AccessScope) -> Bind:
    """The scope's own values, as a part of the statement."""
    values = scope.values
    return lambda name, kind: bindparam(name, values[name], type_=kind, unique=True)


def access_paths(kinds: tuple[Kind, ...], bind: Bind = parameter, record: Any = OPENED) -> list[AccessPath]:
    """The paths of these kinds; files are rows of ``record``, ``FileRecord`` under some name."""
    return [_PATHS[kind](bind, record) for kind in kinds]


def within(path: ColumnElement[str], prefix: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a path, as ``path_in_byte_order`` has it, lies below a folder."""
    # whole components are one range of the index: in bytes' order "0" follows "/"
    return and_(path >= prefix.concat("/"), path < prefix.concat("0"))


def _of(table: Any, column: Any, ids: BindParameter[Any]) -> AccessPath:
    """The rows of ``table`` whose ``column`` holds one of the ids."""
    each = func.unnest(ids).table_valued("id").render_derived(name=f"each_{column.key}")
    return AccessPath(table, each, column == each.c.id, column == any_(ids))


def _folders(bind: Bind, record: Any) -> AccessPath:
    ids, prefixes = bind("folder_instruments", ARRAY(Uuid)), bind("folder_prefixes", ARRAY(Text))
    each = func.unnest(ids, prefixes).table_valued("instrument_id", "path_prefix").render_derived(name="each_folder")
    below = within(path_in_byte_order(record.source_path), each.c.path_prefix)
    by_each = and_(record.instrument_id == each.c.instrument_id, below)
    # of a file that is at hand, its instrument decides most
    among = and_(record.instrument_id == any_(ids), exists().select_from(each).where(by_each))
    return AccessPath(record, each, by_each, among, ranges=True)


_PATHS: Mapping[Kind, Callable[[Bind, Any], AccessPath]] = {
    Kind.OWNING: lambda bind, record: _of(record, record.owner_id, bind("owners", ARRAY(Uuid))),
    Kind.GRANT: lambda bind, _: _of(FileGrant, FileGrant.grantee_id, bind("grantees", ARRAY(Uuid))),
    Kind.INSTRUMENT: lambda bind, record: _of(record, record.instrument_id, bind("instruments", ARRAY(Uuid))),
    Kind.FOLDER: _folders,
}


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
