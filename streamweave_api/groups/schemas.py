"""The bodies of groups and their members."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class GroupChanges(Incoming):
    """Any of a group's fields."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class NewGroup(GroupChanges, kw_only=True):
    """A group as it is entered."""

    name: str


class GroupBody(Outgoing):
    """A group."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class NewGroupMember(Incoming):
    """The user who is to belong to the group."""

    user_id: UUID


class GroupMemberBody(Outgoing):
    """That a user belongs to a group."""

    group_id: UUID
    user_id: UUID
