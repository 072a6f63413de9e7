"""Who may see which files. Every query on files, versions and transfers goes through this one rule."""

import uuid

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, literal, select, true, union, union_all
from sqlalchemy.orm import aliased

from streamweave.catalog.tables import (
    FileGrant,
    FileRecord,
    Group,
    GroupMember,
    InstrumentGrant,
    Project,
    ProjectMember,
    User,
)
from streamweave.catalog.tables.file_records import path_in_byte_order

Whom = Select[tuple[uuid.UUID]] | CompoundSelect[tuple[uuid.UUID]]


def visible_files(viewer: User) -> ColumnElement[bool]:
    """The condition on ``FileRecord`` that holds for what ``viewer`` may see.

    An admin sees all. Others see what they own, and what is granted (the file itself, its instrument, or a folder that
    it lies in) to them, to a group of theirs, or to a project that they or a group of theirs belong to; but
    nothing that was withdrawn.
    """
    if viewer.is_admin:
        return true()
    return and_(FileRecord.withdrawn_at.is_(None), opened_files(viewer))


def opened_files(viewer: User) -> ColumnElement[bool]:
    """The condition for what ``viewer`` may see, or might if it had not been withdrawn: they may read its tombstone."""
    if viewer.is_admin:
        return true()
    # one set of ids: the planner can walk the list and look each file up in it, or begin with the set if that is small
    return FileRecord.id.in_(union_all(_owned(viewer), *_granted_to(grantees(viewer))))


def project_files(viewer: User, project_id: uuid.UUID) -> ColumnElement[bool]:
    """The condition for what is granted to a project; nothing is, in the eyes of those who don't belong to it."""
    project = select(Project.id).where(Project.id == project_id, Project.deleted_at.is_(None))
    if not viewer.is_admin:
        project = project.where(Project.id.in_(grantees(viewer)))
    return FileRecord.id.in_(union_all(*_granted_to(project)))


def grantees(viewer: User) -> CompoundSelect[tuple[uuid.UUID]]:
    """The ids of all that a grant to which is one to ``viewer``. Deleted groups and projects stand for nobody."""
    me = literal(viewer.id)
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
    return union(select(me), groups, projects)


def _owned(viewer: User) -> Select[tuple[uuid.UUID]]:
    owned = aliased(FileRecord)
    return select(owned.id).where(owned.owner_id == viewer.id)


def _granted_to(whom: Whom) -> list[Select[tuple[uuid.UUID]]]:
    return [_granted(whom), _on_granted_instruments(whom), _in_granted_folders(whom)]


def _granted(whom: Whom) -> Select[tuple[uuid.UUID]]:
    return select(FileGrant.file_id).where(FileGrant.grantee_id.in_(whom))


def _on_granted_instruments(whom: Whom) -> Select[tuple[uuid.UUID]]:
    covered = aliased(FileRecord)
    return (
        select(covered.id)
        .join(InstrumentGrant, InstrumentGrant.instrument_id == covered.instrument_id)
        .where(InstrumentGrant.path_prefix == "", InstrumentGrant.grantee_id.in_(whom))
    )


def _in_granted_folders(whom: Whom) -> Select[tuple[uuid.UUID]]:
    covered = aliased(FileRecord)
    prefix, path = InstrumentGrant.path_prefix, path_in_byte_order(covered.source_path)
    return (
        select(covered.id)
        .join(InstrumentGrant, InstrumentGrant.instrument_id == covered.instrument_id)
        .where(
            prefix != "",
            InstrumentGrant.grantee_id.in_(whom),
            # whole components are one range of the index: in bytes' order "0" follows "/"
            path >= prefix.concat("/"),
            path < prefix.concat("0"),
        )
    )
