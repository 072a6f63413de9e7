"""What the bodies of groups and projects have in common."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class NamedChanges(Incoming):
    """Any of the fields. ``streamweave.access.groups`` has their rules."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class NamedBody(Outgoing):
    """What is shown of it."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
