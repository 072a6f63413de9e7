"""The bodies of groups and their members."""

from uuid import UUID

from streamweave_api.access.named import NamedBody, NamedChanges
from streamweave_api.bodies import Incoming, Outgoing


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
