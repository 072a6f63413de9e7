"""The bodies of projects and their members.

Projects and who belongs to them, for admins.
"""

from functools import partial
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from streamweave.access.projects import (
    add_project_member,
    create_project,
    delete_project,
    project_by_id,
    project_members,
    projects,
    remove_project_member,
    restore_project,
    update_project,
)
from streamweave.catalog.tables import MemberType
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.owners import NamedBody, NamedChanges
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService


class ProjectChanges(NamedChanges):
    """Any of a project's fields."""


class NewProject(ProjectChanges, kw_only=True):
    """A project as it is entered."""

    name: str


class ProjectBody(NamedBody):
    """A project."""


class NewProjectMember(Incoming):
    """The user, or the group with everybody in it, that is to belong to the project."""

    member_type: MemberType
    member_id: UUID


class ProjectMemberBody(Outgoing):
    """That a user or a group belongs to a project. ``member_id`` is the user's or group's own id."""

    id: UUID
    project_id: UUID
    member_type: MemberType
    member_id: UUID


project_body = partial(shown, body=ProjectBody)
member_body = partial(shown, body=ProjectMemberBody)


@get("/", sync_to_thread=True, summary="List projects")
def list_projects(
    service: TheService, page: PageAsked, request: Asked, include_deleted: IncludeDeleted = False
) -> Response[list[ProjectBody]]:
    """All projects in order of creation."""
    with service.reading() as session:
        return listed(request, projects(session, page, include_deleted=include_deleted), project_body)


@post("/", sync_to_thread=True, summary="Enter a project")
def add_project(service: TheService, data: JSONBody[NewProject]) -> ProjectBody:
    """A new project; what a hook has noted for its name is granted to it."""
    with service.sessions.begin() as session:
        return project_body(create_project(session, given(data)))


@get("/{project_id:uuid}", sync_to_thread=True, summary="Show a project")
def show_project(service: TheService, project_id: FromPath[UUID]) -> ProjectBody:
    """One project."""
    with service.reading() as session:
        return project_body(project_by_id(session, project_id))


@patch("/{project_id:uuid}", sync_to_thread=True, summary="Change a project")
def change_project(service: TheService, project_id: FromPath[UUID], data: JSONBody[ProjectChanges]) -> ProjectBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return project_body(update_project(session, project_id, given(data)))


@delete("/{project_id:uuid}", sync_to_thread=True, summary="Delete a project")
def remove_project(service: TheService, project_id: FromPath[UUID]) -> None:
    """Delete a project: what is granted to it opens nothing until it is restored."""
    with service.sessions.begin() as session:
        delete_project(session, project_id)


@post("/{project_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a project")
def bring_back_project(service: TheService, project_id: FromPath[UUID]) -> ProjectBody:
    """Take a deleted project back into use, with its members and grants."""
    with service.sessions.begin() as session:
        return project_body(restore_project(session, project_id))


@get("/{project_id:uuid}/members", sync_to_thread=True, summary="List the members of a project")
def list_project_members(
    service: TheService, page: PageAsked, request: Asked, project_id: FromPath[UUID]
) -> Response[list[ProjectMemberBody]]:
    """The members in the order in which they were added."""
    with service.reading() as session:
        return listed(request, project_members(session, project_id, page), member_body)


@post("/{project_id:uuid}/members", sync_to_thread=True, summary="Add a member to a project")
def add_member_of_project(
    service: TheService, project_id: FromPath[UUID], data: JSONBody[NewProjectMember]
) -> ProjectMemberBody:
    """Let a user, or everybody in a group, belong to the project."""
    with service.sessions.begin() as session:
        return member_body(add_project_member(session, project_id, given(data)))


@delete("/{project_id:uuid}/members/{member_id:uuid}", sync_to_thread=True, summary="Remove a member of a project")
def remove_member_of_project(service: TheService, project_id: FromPath[UUID], member_id: FromPath[UUID]) -> None:
    """Let a user or a group, by its own id, belong to the project no longer."""
    with service.sessions.begin() as session:
        remove_project_member(session, project_id, member_id)


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
