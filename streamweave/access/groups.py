"""Groups and who belongs to them. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.assignment import apply_pending_grants
from streamweave.access.grantees import Grantee, NamedGrantee, lock_names, referable_grantee
from streamweave.access.names import FIELDS, check_name_is_free
from streamweave.catalog.tables import GranteeType, Group, GroupMember
from streamweave.deletion import listing, mark_deleted, mark_restored, present, to_delete, to_restore
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.pages import Order, Page, PageRequest, page_of
from streamweave.rules import checked, identity, require

_CREATION = Order(Group.created_at, Group.id)
_JOINING = Order(GroupMember.added_at, GroupMember.id)


def groups(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Group]:
    """All groups in order of creation."""
    return page_of(session, listing(Group, include_deleted=include_deleted), _CREATION, request)


def group_by_id(session: Session, group_id: uuid.UUID) -> Group:
    """Raises ``NotFound``."""
    return present(session, Group, group_id, "Group")


def create_group(session: Session, values: Mapping[str, Any]) -> Group:
    """A new group: ``name``, and if wished ``description``. What waited for its name is granted to it.

    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(FIELDS, values)
    require(fields, "name")
    lock_names(session)
    check_name_is_free(session, Group, fields["name"])
    group = Group(**fields)
    session.add(group)
    return _called_by_its_name(session, group)


def update_group(session: Session, group_id: uuid.UUID, changes: Mapping[str, Any]) -> Group:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, changes)
    lock_names(session)
    group = group_by_id(session, group_id)
    if "name" in fields:
        check_name_is_free(session, Group, fields["name"], besides=group_id)
    for field, value in fields.items():
        setattr(group, field, value)
    return _called_by_its_name(session, group)


def delete_group(session: Session, group_id: uuid.UUID) -> None:
    """Delete a group: what is granted to it opens nothing until it is restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Group, group_id, "Group")])


def restore_group(session: Session, group_id: uuid.UUID) -> Group:
    """Take a deleted group back into use, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    lock_names(session)
    group = to_restore(session, Group, group_id, "Group")
    check_name_is_free(session, Group, group.name)
    mark_restored(session, [group])
    return _called_by_its_name(session, group)


def group_members(session: Session, group_id: uuid.UUID, request: PageRequest) -> Page[GroupMember]:
    """A group's members in the order in which they were added. Raises ``NotFound``."""
    group_by_id(session, group_id)
    return page_of(session, select(GroupMember).where(GroupMember.group_id == group_id), _JOINING, request)


def add_group_member(session: Session, group_id: uuid.UUID, values: Mapping[str, Any]) -> GroupMember:
    """Let the user ``user_id`` belong to a group. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    group_by_id(session, group_id)
    fields = checked({"user_id": identity}, values)
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


def _called_by_its_name(session: Session, group: Group) -> Group:
    session.flush()
    session.refresh(group)
    apply_pending_grants(session, NamedGrantee(GranteeType.GROUP, group.name))
    return group
