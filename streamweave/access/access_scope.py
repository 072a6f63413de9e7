"""Access scope: what a viewer may see, as ids of owners, grantees, instruments, and folders; no file is read for it.

It is small and made of plain values, so queries on files stay short, and PostgreSQL can estimate from its statistics
how many files each value selects.
"""

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import CompoundSelect, Select, bindparam, select, union
from sqlalchemy.orm import Session

from streamweave.catalog.tables import Group, GroupMember, Instrument, InstrumentGrant, Project, ProjectMember, User

Folder = tuple[uuid.UUID, str]

# written once: they are executed for each request
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
        """The values of the parameters in ``access_paths``."""
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
