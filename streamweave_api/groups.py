"""Groups and projects, and their members, for admins.

As in ``resources``, the annotations ``NewMember``, ``Member`` and ``MemberId`` stand for types of the group or project.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.params import JSONBody, PathParameter
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, UnsetType

from streamweave.access.groups import (
    Team,
    add_team_member,
    create_team,
    delete_team,
    remove_team_member,
    restore_team,
    team_members,
    update_team,
)
from streamweave.catalog.tables import Group, MemberType, Project
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.resources import Id, Resource, documented, resource_router
from streamweave_api.service import TheService

NewMember: TypeAlias = Incoming
Member: TypeAlias = Outgoing
MemberId: TypeAlias = UUID


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


class ProjectChanges(NamedChanges):
    """Any of a project's fields."""


class NewProject(ProjectChanges, kw_only=True):
    """A project as it is entered."""

    name: str


class ProjectBody(NamedBody):
    """A project."""


class NewProjectMember(Incoming):
    """The user, or the group with everybody in it, to add to the project."""

    member_type: MemberType
    member_id: UUID


class ProjectMemberBody(Outgoing):
    """A user's or a group's membership in a project. ``member_id`` is the user's or group's own id."""

    id: UUID
    project_id: UUID
    member_type: MemberType
    member_id: UUID


def team_resource(table: type[Team], new: type[Incoming], changes: type[Incoming], body: type[Outgoing]) -> Resource:
    """Groups, or projects."""
    name = table.__name__.lower()
    return Resource(
        name=name,
        parameter=f"{name}_id",
        new=new,
        changes=changes,
        body=body,
        table=table,
        create=lambda _, session, values: create_team(session, table, values),
        update=lambda _, session, team_id, values: update_team(session, table, team_id, values),
        delete=lambda session, team_id: delete_team(session, table, team_id),
        restore=lambda _, session, team_id: restore_team(session, table, team_id),
        creation=f"A new {name}; grants that hooks noted for its name are applied.",
        deletion=f"Delete a {name}: what is granted to it is visible to no member until it is restored.",
        restoration=f"Restore a deleted {name}, with its members and grants.",
    )


def member_routes(
    table: type[Team], parameter: str, body: type[Outgoing], *, adding: str, removing: str
) -> list[ControllerRouterHandler]:
    """The routes of members; the last two are descriptions. ``parameter`` is the name of a member's id in paths."""
    name = table.__name__.lower()
    members = f"/{{{name}_id:uuid}}/members"
    order = "The members in the order in which they were added."

    @get(members, **documented(name, f"List the members of a {name}", order, "Members"))
    def list_(service: TheService, page: PageAsked, row_id: Id) -> Response[list[Member]]:
        return page.response(service.read(team_members, table, row_id, page), body)

    @post(members, **documented(name, f"Add a member to a {name}", adding))
    def add_member_of(service: TheService, row_id: Id, data: JSONBody[NewMember]) -> Member:
        return shown(service.write(add_team_member, table, row_id, given(data)), body)

    @delete(f"{members}/{{{parameter}:uuid}}", **documented(name, f"Remove a member of a {name}", removing))
    def remove_member_of(service: TheService, row_id: Id, member_id: MemberId) -> None:
        service.write(remove_team_member, table, row_id, member_id)

    return [list_, add_member_of, remove_member_of]


groups_router = resource_router(
    "/api/groups",
    "Groups",
    team_resource(Group, NewGroup, GroupChanges, GroupBody),
    *member_routes(
        Group, "user_id", GroupMemberBody, adding="Add a user to the group.", removing="Remove a user from the group."
    ),
    NewMember=NewGroupMember,
    Member=GroupMemberBody,
    MemberId=Annotated[UUID, PathParameter(name="user_id")],
)
projects_router = resource_router(
    "/api/projects",
    "Projects",
    team_resource(Project, NewProject, ProjectChanges, ProjectBody),
    *member_routes(
        Project,
        "member_id",
        ProjectMemberBody,
        adding="Add a user, or everybody in a group, to the project.",
        removing="Remove a user or a group, named by its own id, from the project.",
    ),
    NewMember=NewProjectMember,
    Member=ProjectMemberBody,
    MemberId=Annotated[UUID, PathParameter(name="member_id")],
)
