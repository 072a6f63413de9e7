"""The bodies of groups and their members.

Groups and who belongs to them, for admins.
"""

from functools import partial
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from streamweave.access.groups import (
    add_group_member,
    create_group,
    delete_group,
    group_by_id,
    group_members,
    groups,
    remove_group_member,
    restore_group,
    update_group,
)
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.owners import NamedBody, NamedChanges
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService


class GroupChanges(NamedChanges):
    """Any of a group's fields."""


class NewGroup(GroupChanges, kw_only=True):
    """A group as it is entered."""

    name: str


class GroupBody(NamedBody):
    """A group."""


class NewGroupMember(Incoming):
    """The user who is to belong to the group."""

    user_id: UUID


class GroupMemberBody(Outgoing):
    """That a user belongs to a group."""

    group_id: UUID
    user_id: UUID


group_body = partial(shown, body=GroupBody)
member_body = partial(shown, body=GroupMemberBody)


@get("/", sync_to_thread=True, summary="List groups")
def list_groups(
    service: TheService, page: PageAsked, request: Asked, include_deleted: IncludeDeleted = False
) -> Response[list[GroupBody]]:
    """All groups in order of creation."""
    with service.reading() as session:
        return listed(request, groups(session, page, include_deleted=include_deleted), group_body)


@post("/", sync_to_thread=True, summary="Enter a group")
def add_group(service: TheService, data: JSONBody[NewGroup]) -> GroupBody:
    """A new group; what a hook has noted for its name is granted to it."""
    with service.sessions.begin() as session:
        return group_body(create_group(session, given(data)))


@get("/{group_id:uuid}", sync_to_thread=True, summary="Show a group")
def show_group(service: TheService, group_id: FromPath[UUID]) -> GroupBody:
    """One group."""
    with service.reading() as session:
        return group_body(group_by_id(session, group_id))


@patch("/{group_id:uuid}", sync_to_thread=True, summary="Change a group")
def change_group(service: TheService, group_id: FromPath[UUID], data: JSONBody[GroupChanges]) -> GroupBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return group_body(update_group(session, group_id, given(data)))


@delete("/{group_id:uuid}", sync_to_thread=True, summary="Delete a group")
def remove_group(service: TheService, group_id: FromPath[UUID]) -> None:
    """Delete a group: what is granted to it opens nothing until it is restored."""
    with service.sessions.begin() as session:
        delete_group(session, group_id)


@post("/{group_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a group")
def bring_back_group(service: TheService, group_id: FromPath[UUID]) -> GroupBody:
    """Take a deleted group back into use, with its members and grants."""
    with service.sessions.begin() as session:
        return group_body(restore_group(session, group_id))


@get("/{group_id:uuid}/members", sync_to_thread=True, summary="List the members of a group")
def list_group_members(
    service: TheService, page: PageAsked, request: Asked, group_id: FromPath[UUID]
) -> Response[list[GroupMemberBody]]:
    """The members in the order in which they were added."""
    with service.reading() as session:
        return listed(request, group_members(session, group_id, page), member_body)


@post("/{group_id:uuid}/members", sync_to_thread=True, summary="Add a member to a group")
def add_member_of_group(
    service: TheService, group_id: FromPath[UUID], data: JSONBody[NewGroupMember]
) -> GroupMemberBody:
    """Let a user belong to the group."""
    with service.sessions.begin() as session:
        return member_body(add_group_member(session, group_id, given(data)))


@delete("/{group_id:uuid}/members/{user_id:uuid}", sync_to_thread=True, summary="Remove a member of a group")
def remove_member_of_group(service: TheService, group_id: FromPath[UUID], user_id: FromPath[UUID]) -> None:
    """Let a user belong to the group no longer."""
    with service.sessions.begin() as session:
        remove_group_member(session, group_id, user_id)


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
