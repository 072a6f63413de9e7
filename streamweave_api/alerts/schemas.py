"""The bodies of alerts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class AlertBody(Outgoing, kw_only=True):
    """Something that is or was wrong with an instrument or a storage location: ``subject_type`` is its table's name.

    ``sentence`` and ``details`` say what, as it was when it was last seen. An alert without ``ended_at`` is open; with
    ``away_since`` its condition is gone at the moment, and it ends if that stays so.
    """

    id: UUID
    kind: str
    subject_type: str
    subject_id: UUID
    subject: str
    sentence: str
    details: dict[str, Any]
    began_at: datetime
    last_seen_at: datetime
    away_since: datetime | None
    ended_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by_id: UUID | None
    acknowledgement: str | None


class AlertDeliveryBody(Outgoing):
    """One message to one receiver: ``event`` is begin or end, ``status`` waiting, delivered or dropped.

    ``receiver`` is a user's id, a mail address, or the word webhook. ``detail`` says why the last attempt failed, or
    why the message was dropped.
    """

    id: UUID
    event: str
    channel: str
    receiver: str
    status: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    detail: str | None


class AlertWithDeliveries(AlertBody, kw_only=True):
    """An alert, and who is told of it."""

    deliveries: list[AlertDeliveryBody]


class Acknowledgement(Incoming):
    """Somebody is on it; ``note`` says what they do."""

    note: str | UnsetType | None = UNSET


class AlertWatchBody(Outgoing):
    """When the alerts were last evaluated, and since when that goes on without a break; null if it never happened."""

    evaluated_at: datetime | None
    watching_since: datetime | None


class AlertTrial(Outgoing):
    """How a test message went; without a ``receiver`` the channel isn't set up, and ``detail`` says what is missing."""

    channel: str
    receiver: str
    ok: bool
    detail: str | None
