"""The bodies of hooks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class HookChanges(Incoming):
    """Any of a hook's fields. ``config`` is what the built-in hook of that name takes."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    trigger: str | UnsetType = UNSET
    implementation: str | UnsetType = UNSET
    builtin_name: str | UnsetType = UNSET
    script_path: str | UnsetType | None = UNSET
    webhook_url: str | UnsetType | None = UNSET
    config: dict[str, Any] | UnsetType = UNSET
    instrument_id: UUID | UnsetType | None = UNSET
    priority: int | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewHook(HookChanges, kw_only=True):
    """A hook as it is entered; without an instrument it is global."""

    name: str
    trigger: str
    builtin_name: str


class HookBody(Outgoing):
    """A hook."""

    id: UUID
    name: str
    description: str | None
    trigger: str
    implementation: str
    builtin_name: str | None
    script_path: str | None
    webhook_url: str | None
    config: dict[str, Any]
    instrument_id: UUID | None
    priority: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
