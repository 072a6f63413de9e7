"""The bodies of API tokens. The token itself is shown once."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class NewApiToken(Incoming):
    """What a token is called, what it may do (``read`` or ``admin``), and when it ends."""

    name: str
    scope: str | UnsetType = UNSET
    expires_in_days: int | UnsetType = UNSET


class ApiTokenBody(Outgoing):
    """A token, without itself."""

    id: UUID
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class CreatedApiToken(ApiTokenBody, kw_only=True):
    """A token as it is shown once: send it as ``Authorization: Bearer swt_…``."""

    token: str
