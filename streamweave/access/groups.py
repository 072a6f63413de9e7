"""Groups and projects, and who belongs to them. The caller commits.

Both are teams: a set of people with a name, to which files can be granted. A group has users as members, a project
users and whole groups. Names are compared without regard to case, and each is used once among the groups, and once
among the projects, that are not deleted. Grants that were noted for a name are applied as soon as a team gets it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from streamweave.access.grants import (
    COLUMNS,
    NAMES,
    Grantee,
    NamedGrantee,
    apply_pending_grants,
    lock_names,
    referable_grantee,
)
from streamweave.catalog.deletion import listing, mark_deleted, mark_restored, present, to_delete, to_restore
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import add, change
from streamweave.catalog.tables import GranteeType, Group, GroupMember, MemberType, Project, ProjectMember
from streamweave.errors import Conflict, InvalidInput, NotFound
from streamweave.validation import Rule, checked, identity, name, one_word_of, optional, text

Team = TypeVar("Team", Group, Project)

FIELDS: dict[str, Rule] = {"name": name, "description": optional(text(lines=True))}
GROUP_MEMBER: dict[str, Rule] = {"user_id": identity}
PROJECT_MEMBER: dict[str, Rule] = {"member_type": one_word_of(*MemberType), "member_id": identity}


@dataclass(frozen=True, slots=True)
class Membership:
    """How the catalog holds the members of one kind of team, and the ``fields`` by which a member is entered."""

    kind: GranteeType
    row: type[GroupMember] | type[ProjectMember]
    team_id: InstrumentedAttribute[uuid.UUID]
    member_id: InstrumentedAttribute[uuid.UUID]
    fields: Mapping[str, Rule]


MEMBERSHIPS: dict[type[Group] | type[Project], Membership] = {
    Group: Membership(GranteeType.GROUP, GroupMember, GroupMember.group_id, GroupMember.user_id, GROUP_MEMBER),
    Project: Membership(
        GranteeType.PROJECT, ProjectMember, ProjectMember.project_id, ProjectMember.member_id, PROJECT_MEMBER
    ),
}


def team_by_id(session: Session, table: type[Team], team_id: uuid.UUID) -> Team:
    """Raises ``NotFound``."""
    return present(session, table, team_id, table.__name__)


def create_team(session: Session, table: type[Team], values: Mapping[str, Any]) -> Team:
    """A new group or project: ``name``, and optionally ``description``. Raises ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, values, required=("name",))
    lock_names(session)
    _check_name_is_free(session, table, fields["name"])
    team = table(**fields)
    add(session, team)
    session.refresh(team)
    return _with_pending_grants(session, team)


def update_team(session: Session, table: type[Team], team_id: uuid.UUID, changes: Mapping[str, Any]) -> Team:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    fields = checked(FIELDS, changes)
    lock_names(session)
    team = team_by_id(session, table, team_id)
    if "name" in fields:
        _check_name_is_free(session, table, fields["name"], besides=team_id)
    return _with_pending_grants(session, change(session, team, fields))


def delete_team(session: Session, table: type[Team], team_id: uuid.UUID) -> None:
    """Delete a team: what is granted to it is visible to no member until it is restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, table, team_id, table.__name__)])


def restore_team(session: Session, table: type[Team], team_id: uuid.UUID) -> Team:
    """Restore a deleted team, with its members and grants. Raises ``NotFound`` or ``Conflict``."""
    lock_names(session)
    team = to_restore(session, table, team_id, table.__name__)
    _check_name_is_free(session, table, team.name)
    mark_restored(session, [team])
    return _with_pending_grants(session, team)


def team_members(session: Session, table: type[Team], team_id: uuid.UUID, request: PageRequest) -> Page[Any]:
    """A team's members in the order in which they were added. Raises ``NotFound``."""
    team_by_id(session, table, team_id)
    membership = MEMBERSHIPS[table]
    order = Order(membership.row.added_at, membership.row.id)
    return page_of(session, select(membership.row).where(membership.team_id == team_id), order, request)


def add_team_member(session: Session, table: type[Team], team_id: uuid.UUID, values: Mapping[str, Any]) -> Any:
    """Add a user (or to a project a group) as a member. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    team_by_id(session, table, team_id)
    membership = MEMBERSHIPS[table]
    fields = checked(membership.fields, values, required=membership.fields)
    id_field = membership.member_id.key
    kind, member_id = GranteeType(fields.get("member_type", GranteeType.USER)), fields[id_field]
    if referable_grantee(session, Grantee(kind, member_id)) is None:
        raise InvalidInput(id_field, f"there is no such {kind}")
    if session.scalar(_member(membership, team_id, member_id)) is not None:
        raise Conflict(f"the {kind} belongs to the {membership.kind} already")
    member = membership.row(**{membership.team_id.key: team_id, COLUMNS[kind]: member_id})
    return add(session, member)


def remove_team_member(session: Session, table: type[Team], team_id: uuid.UUID, member_id: uuid.UUID) -> None:
    """Remove a member, named by the user's or group's own id. Raises ``NotFound``."""
    team_by_id(session, table, team_id)
    member = session.scalar(_member(MEMBERSHIPS[table], team_id, member_id))
    if member is None:
        raise NotFound("Member")
    session.delete(member)
    session.flush()


def _member(membership: Membership, team_id: uuid.UUID, member_id: uuid.UUID) -> Select[Any]:
    return select(membership.row).where(membership.team_id == team_id, membership.member_id == member_id)


def _check_name_is_free(session: Session, table: type[Team], wanted: str, besides: uuid.UUID | None = None) -> None:
    kind = MEMBERSHIPS[table].kind
    same = session.scalar(listing(table).where(func.lower(NAMES[kind]) == func.lower(wanted)))
    if same is not None and same.id != besides:
        raise Conflict(f"name: a {kind} named {wanted} exists already")


def _with_pending_grants(session: Session, team: Team) -> Team:
    apply_pending_grants(session, NamedGrantee(MEMBERSHIPS[type(team)].kind, team.name))
    return team
