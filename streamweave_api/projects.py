"""Projects and their members, for admins."""

from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

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
from streamweave.catalog.tables import MemberType, Project
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.groups import NamedBody, NamedChanges
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


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


@get("/", sync_to_thread=True, summary="List projects")
def list_projects(
    service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False
) -> Response[list[ProjectBody]]:
    """All projects in order of creation."""
    with service.reading() as session:
        return page.response(teams(session, Project, page, include_deleted=include_deleted), ProjectBody)


@post("/", sync_to_thread=True, summary="Create a project")
def add_project(service: TheService, data: JSONBody[NewProject]) -> ProjectBody:
    """A new project; grants that hooks noted for its name are applied."""
    with service.sessions.begin() as session:
        return shown(create_team(session, Project, given(data)), ProjectBody)


@get("/{project_id:uuid}", sync_to_thread=True, summary="Show a project")
def show_project(service: TheService, project_id: FromPath[UUID]) -> ProjectBody:
    """One project."""
    with service.reading() as session:
        return shown(team_by_id(session, Project, project_id), ProjectBody)


@patch("/{project_id:uuid}", sync_to_thread=True, summary="Change a project")
def change_project(service: TheService, project_id: FromPath[UUID], data: JSONBody[ProjectChanges]) -> ProjectBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return shown(update_team(session, Project, project_id, given(data)), ProjectBody)


@delete("/{project_id:uuid}", sync_to_thread=True, summary="Delete a project")
def remove_project(service: TheService, project_id: FromPath[UUID]) -> None:
    """Delete a project: what is granted to it is visible to no member until it is restored."""
    with service.sessions.begin() as session:
        delete_team(session, Project, project_id)


@post("/{project_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a project")
def bring_back_project(service: TheService, project_id: FromPath[UUID]) -> ProjectBody:
    """Restore a deleted project, with its members and grants."""
    with service.sessions.begin() as session:
        return shown(restore_team(session, Project, project_id), ProjectBody)


@get("/{project_id:uuid}/members", sync_to_thread=True, summary="List the members of a project")
def list_project_members(
    service: TheService, page: PageAsked, project_id: FromPath[UUID]
) -> Response[list[ProjectMemberBody]]:
    """The members in the order in which they were added."""
    with service.reading() as session:
        return page.response(team_members(session, Project, project_id, page), ProjectMemberBody)


@post("/{project_id:uuid}/members", sync_to_thread=True, summary="Add a member to a project")
def add_member_of_project(
    service: TheService, project_id: FromPath[UUID], data: JSONBody[NewProjectMember]
) -> ProjectMemberBody:
    """Add a user, or everybody in a group, to the project."""
    with service.sessions.begin() as session:
        return shown(add_team_member(session, Project, project_id, given(data)), ProjectMemberBody)


@delete("/{project_id:uuid}/members/{member_id:uuid}", sync_to_thread=True, summary="Remove a member of a project")
def remove_member_of_project(service: TheService, project_id: FromPath[UUID], member_id: FromPath[UUID]) -> None:
    """Remove a user or a group, named by its own id, from the project."""
    with service.sessions.begin() as session:
        remove_team_member(session, Project, project_id, member_id)


projects_router = Router(
    "/api/projects",
    route_handlers=[
        list_projects,
        add_project,
        show_project,
        change_project,
        remove_project,
        bring_back_project,
        list_project_members,
        add_member_of_project,
        remove_member_of_project,
    ],
    guards=[admin_only],
    tags=["Projects"],
)
