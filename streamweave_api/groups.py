"""Groups and their members, for admins."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.access.groups import (
    add_team_member,
    create_team,
    delete_team,
    remove_team_member,
    restore_team,
    team_by_id,
    team_members,
    teams,
    update_team,
)
from streamweave.catalog.tables import Group
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


class NamedChanges(Incoming):
    """Any of the fields of a group or a project. ``streamweave.access.groups`` has their rules."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class NamedBody(Outgoing):
    """A group or a project."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class GroupChanges(NamedChanges):
    """Any of a group's fields."""


class NewGroup(GroupChanges, kw_only=True):
    """A group as it is entered."""

    name: str


class GroupBody(NamedBody):
    """A group."""


class NewGroupMember(Incoming):
    """The user to add to the group."""

    user_id: UUID


class GroupMemberBody(Outgoing):
    """A user's membership in a group."""

    group_id: UUID
    user_id: UUID


@get("/", sync_to_thread=True, summary="List groups")
def list_groups(
    service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False
) -> Response[list[GroupBody]]:
    """All groups in order of creation."""
    with service.reading() as session:
        return page.response(teams(session, Group, page, include_deleted=include_deleted), GroupBody)


@post("/", sync_to_thread=True, summary="Create a group")
def add_group(service: TheService, data: JSONBody[NewGroup]) -> GroupBody:
    """A new group; grants that hooks noted for its name are applied."""
    with service.sessions.begin() as session:
        return shown(create_team(session, Group, given(data)), GroupBody)


@get("/{group_id:uuid}", sync_to_thread=True, summary="Show a group")
def show_group(service: TheService, group_id: FromPath[UUID]) -> GroupBody:
    """One group."""
    with service.reading() as session:
        return shown(team_by_id(session, Group, group_id), GroupBody)


@patch("/{group_id:uuid}", sync_to_thread=True, summary="Change a group")
def change_group(service: TheService, group_id: FromPath[UUID], data: JSONBody[GroupChanges]) -> GroupBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return shown(update_team(session, Group, group_id, given(data)), GroupBody)


@delete("/{group_id:uuid}", sync_to_thread=True, summary="Delete a group")
def remove_group(service: TheService, group_id: FromPath[UUID]) -> None:
    """Delete a group: what is granted to it is visible to no member until it is restored."""
    with service.sessions.begin() as session:
        delete_team(session, Group, group_id)


@post("/{group_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a group")
def bring_back_group(service: TheService, group_id: FromPath[UUID]) -> GroupBody:
    """Restore a deleted group, with its members and grants."""
    with service.sessions.begin() as session:
        return shown(restore_team(session, Group, group_id), GroupBody)


@get("/{group_id:uuid}/members", sync_to_thread=True, summary="List the members of a group")
def list_group_members(
    service: TheService, page: PageAsked, group_id: FromPath[UUID]
) -> Response[list[GroupMemberBody]]:
    """The members in the order in which they were added."""
    with service.reading() as session:
        return page.response(team_members(session, Group, group_id, page), GroupMemberBody)


@post("/{group_id:uuid}/members", sync_to_thread=True, summary="Add a member to a group")
def add_member_of_group(
    service: TheService, group_id: FromPath[UUID], data: JSONBody[NewGroupMember]
) -> GroupMemberBody:
    """Add a user to the group."""
    with service.sessions.begin() as session:
        return shown(add_team_member(session, Group, group_id, given(data)), GroupMemberBody)


@delete("/{group_id:uuid}/members/{user_id:uuid}", sync_to_thread=True, summary="Remove a member of a group")
def remove_member_of_group(service: TheService, group_id: FromPath[UUID], user_id: FromPath[UUID]) -> None:
    """Remove a user from the group."""
    with service.sessions.begin() as session:
        remove_team_member(session, Group, group_id, user_id)


groups_router = Router(
    "/api/groups",
    route_handlers=[
        list_groups,
        add_group,
        show_group,
        change_group,
        remove_group,
        bring_back_group,
        list_group_members,
        add_member_of_group,
        remove_member_of_group,
    ],
    guards=[admin_only],
    tags=["Groups"],
)
