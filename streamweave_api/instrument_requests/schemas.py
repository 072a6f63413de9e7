"""The bodies of instrument requests."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class NewInstrumentRequest(Incoming):
    """A wish for an instrument."""

    name: str
    justification: str
    location: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class Review(Incoming):
    """What an admin decides: ``status`` is approved or rejected."""

    status: str
    note: str | UnsetType | None = UNSET


class InstrumentRequestBody(Outgoing):
    """A wish for an instrument, and what became of it: ``status`` is pending, approved or rejected."""

    id: UUID
    requester_id: UUID
    name: str
    location: str | None
    description: str | None
    justification: str
    status: str
    note: str | None
    reviewed_by_id: UUID | None
    reviewed_at: datetime | None
    created_at: datetime
    updated_at: datetime
