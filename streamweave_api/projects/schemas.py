"""The bodies of projects and their members."""

from uuid import UUID

from streamweave.catalog.tables import MemberType
from streamweave_api.access.named import NamedBody, NamedChanges
from streamweave_api.bodies import Incoming, Outgoing


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
