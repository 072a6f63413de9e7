"""The bodies of projects and their members."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import MemberType
from streamweave_api.bodies import Incoming, Outgoing


class ProjectChanges(Incoming):
    """Any of a project's fields."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class NewProject(ProjectChanges, kw_only=True):
    """A project as it is entered."""

    name: str


class ProjectBody(Outgoing):
    """A project."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


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
