"""The bodies of notifications."""

from datetime import datetime
from uuid import UUID

from streamweave_api.bodies import Outgoing


class NotificationBody(Outgoing):
    """What one was told; ``kind`` is a word for programs, ``about_type`` and ``about_id`` name what it is about."""

    id: UUID
    kind: str
    subject: str
    body: str
    about_type: str | None
    about_id: UUID | None
    created_at: datetime
    read_at: datetime | None


class Read(Outgoing):
    """How many notifications were unread until now."""

    read: int
