"""The bodies of storage locations."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class StorageLocationChanges(Incoming):
    """Any of a storage location's fields; ``base_path`` and ``type`` are fixed once it is in use."""

    name: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    connection_config: dict[str, Any] | UnsetType = UNSET
    base_path: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewStorageLocation(StorageLocationChanges, kw_only=True):
    """A storage location as it is entered."""

    name: str
    base_path: str


class StorageLocationBody(Outgoing):
    """A storage location."""

    id: UUID
    name: str
    type: str
    connection_config: dict[str, Any]
    base_path: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class StorageAnswered(Outgoing, kw_only=True):
    """So many bytes were written, read back, found the same, and removed."""

    ok: Literal[True] = True
    bytes: int
    seconds: float


class StorageNotUsable(Outgoing, kw_only=True):
    """The storage can't be used; ``error_kind`` is a word, ``detail`` a sentence."""

    ok: Literal[False] = False
    error_kind: str
    detail: str
