"""Groups and who belongs to them. The caller commits.

What groups and projects have in common: a name that only one of each bears, and what waits for it.

Upper and lower case are the same in names. The caller commits.
"""

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.access.grants import NAMES, Grantee, NamedGrantee, apply_pending_grants, lock_names, referable_grantee
from streamweave.catalog.deletion import listing, mark_deleted, mark_restored, present, to_delete, to_restore
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import change
from streamweave.catalog.tables import GranteeType, Group, GroupMember, Project
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import Rule, checked, identity, name, optional, require, text

Named = TypeVar("Named", Group, Project)

FIELDS: dict[str, Rule] = {"name": name, "description": optional(text(lines=True))}
KINDS = {Group: GranteeType.GROUP, Project: GranteeType.PROJECT}


def create_named(session: Session, table: type[Named], values: Mapping[str, Any]) -> Named:
    """A new group or project: ``name``, and if wished ``description``. What waited for its name is granted to it.

    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(FIELDS, values)
    require(fields, "name")
    lock_names(session)
    _check_name_is_free(session, table, fields["name"])
    row = table(**fields)
    session.add(row)
    session.flush()
    session.refresh(row)
    return _called_by_its_name(session, row)


def update_named(session: Session, table: type[Named], row_id: uuid.UUID, changes: Mapping[str, Any]) -> Named:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, changes)
    lock_names(session)
    row = present(session, table, row_id, table.__name__)
    if "name" in fields:
        _check_name_is_free(session, table, fields["name"], besides=row_id)
    return _called_by_its_name(session, change(session, row, fields))


def restore_named(session: Session, table: type[Named], row_id: uuid.UUID) -> Named:
    """Take it back into use, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    lock_names(session)
    row = to_restore(session, table, row_id, table.__name__)
    _check_name_is_free(session, table, row.name)
    mark_restored(session, [row])
    return _called_by_its_name(session, row)


def _check_name_is_free(session: Session, table: type[Named], wanted: str, besides: uuid.UUID | None = None) -> None:
    kind = KINDS[table]
    same = session.scalar(listing(table).where(func.lower(NAMES[kind]) == func.lower(wanted)))
    if same is not None and same.id != besides:
        raise Conflict(f"name: a {kind} named {wanted} exists already")


def _called_by_its_name(session: Session, row: Named) -> Named:
    apply_pending_grants(session, NamedGrantee(KINDS[type(row)], row.name))
    return row


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
