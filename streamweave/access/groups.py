"""Groups and who belongs to them. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.grantees import Grantee, referable_grantee
from streamweave.access.names import create_named, restore_named, update_named
from streamweave.catalog.deletion import listing, mark_deleted, present, to_delete
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import GranteeType, Group, GroupMember
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import Rule, checked, identity, require

MEMBER: dict[str, Rule] = {"user_id": identity}

_CREATION = Order(Group.created_at, Group.id)
_JOINING = Order(GroupMember.added_at, GroupMember.id)


def groups(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Group]:
    """All groups in order of creation."""
    return page_of(session, listing(Group, include_deleted=include_deleted), _CREATION, request)


def group_by_id(session: Session, group_id: uuid.UUID) -> Group:
    """Raises ``NotFound``."""
    return present(session, Group, group_id, "Group")


def create_group(session: Session, values: Mapping[str, Any]) -> Group:
    """A new group, as ``create_named`` says."""
    return create_named(session, Group, values)


def update_group(session: Session, group_id: uuid.UUID, changes: Mapping[str, Any]) -> Group:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    return update_named(session, Group, group_id, changes)


def delete_group(session: Session, group_id: uuid.UUID) -> None:
    """Delete a group: what is granted to it opens nothing until it is restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Group, group_id, "Group")])


def restore_group(session: Session, group_id: uuid.UUID) -> Group:
    """Take a deleted group back into use, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    return restore_named(session, Group, group_id)


def group_members(session: Session, group_id: uuid.UUID, request: PageRequest) -> Page[GroupMember]:
    """A group's members in the order in which they were added. Raises ``NotFound``."""
    group_by_id(session, group_id)
    return page_of(session, select(GroupMember).where(GroupMember.group_id == group_id), _JOINING, request)


def add_group_member(session: Session, group_id: uuid.UUID, values: Mapping[str, Any]) -> GroupMember:
    """Let the user ``user_id`` belong to a group. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    group_by_id(session, group_id)
    fields = checked(MEMBER, values)
    require(fields, "user_id")
    if referable_grantee(session, Grantee(GranteeType.USER, fields["user_id"])) is None:
        raise InvalidInput("user_id", "there is no such user")
    if _member(session, group_id, fields["user_id"]) is not None:
        raise Conflict("the user belongs to the group already")
    member = GroupMember(group_id=group_id, **fields)
    session.add(member)
    session.flush()
    return member


def remove_group_member(session: Session, group_id: uuid.UUID, user_id: uuid.UUID) -> None:
    """Let a user belong to a group no longer. Raises ``NotFound``."""
    group_by_id(session, group_id)
    member = _member(session, group_id, user_id)
    if member is None:
        raise NotFound("Member")
    session.delete(member)
    session.flush()


def _member(session: Session, group_id: uuid.UUID, user_id: uuid.UUID) -> GroupMember | None:
    return session.scalar(select(GroupMember).where(GroupMember.group_id == group_id, GroupMember.user_id == user_id))
