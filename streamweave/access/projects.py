"""Projects and who belongs to them: users, and whole groups. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.grants import COLUMNS, Grantee, referable_grantee
from streamweave.access.groups import create_named, restore_named, update_named
from streamweave.catalog.deletion import listing, mark_deleted, present, to_delete
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import GranteeType, MemberType, Project, ProjectMember
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import Rule, checked, identity, one_word_of, require

MEMBER: dict[str, Rule] = {"member_type": one_word_of(*MemberType), "member_id": identity}

_CREATION = Order(Project.created_at, Project.id)
_JOINING = Order(ProjectMember.added_at, ProjectMember.id)


def projects(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Project]:
    """All projects in order of creation."""
    return page_of(session, listing(Project, include_deleted=include_deleted), _CREATION, request)


def project_by_id(session: Session, project_id: uuid.UUID) -> Project:
    """Raises ``NotFound``."""
    return present(session, Project, project_id, "Project")


def create_project(session: Session, values: Mapping[str, Any]) -> Project:
    """A new project, as ``create_named`` says."""
    return create_named(session, Project, values)


def update_project(session: Session, project_id: uuid.UUID, changes: Mapping[str, Any]) -> Project:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    return update_named(session, Project, project_id, changes)


def delete_project(session: Session, project_id: uuid.UUID) -> None:
    """Delete a project: what is granted to it opens nothing until it is restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Project, project_id, "Project")])


def restore_project(session: Session, project_id: uuid.UUID) -> Project:
    """Take a deleted project back into use, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    return restore_named(session, Project, project_id)


def project_members(session: Session, project_id: uuid.UUID, request: PageRequest) -> Page[ProjectMember]:
    """A project's members in the order in which they were added. Raises ``NotFound``."""
    project_by_id(session, project_id)
    return page_of(session, select(ProjectMember).where(ProjectMember.project_id == project_id), _JOINING, request)


def add_project_member(session: Session, project_id: uuid.UUID, values: Mapping[str, Any]) -> ProjectMember:
    """Let a user, or everybody in a group, belong to a project: ``member_type`` and ``member_id``.

    Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.
    """
    project_by_id(session, project_id)
    fields = checked(MEMBER, values)
    require(fields, "member_type", "member_id")
    kind, member_id = GranteeType(fields["member_type"]), fields["member_id"]
    if referable_grantee(session, Grantee(kind, member_id)) is None:
        raise InvalidInput("member_id", f"there is no such {kind}")
    if _member(session, project_id, member_id) is not None:
        raise Conflict(f"the {kind} belongs to the project already")
    member = ProjectMember(project_id=project_id, **{COLUMNS[kind]: member_id})
    session.add(member)
    session.flush()
    return member


def remove_project_member(session: Session, project_id: uuid.UUID, member_id: uuid.UUID) -> None:
    """Let a user or group, by its own id, belong to a project no longer. Raises ``NotFound``."""
    project_by_id(session, project_id)
    member = _member(session, project_id, member_id)
    if member is None:
        raise NotFound("Member")
    session.delete(member)
    session.flush()


def _member(session: Session, project_id: uuid.UUID, member_id: uuid.UUID) -> ProjectMember | None:
    of_project = ProjectMember.project_id == project_id
    return session.scalar(select(ProjectMember).where(of_project, ProjectMember.member_id == member_id))
