"""The bodies of instruments and their scans. Units are in the names; times are in UTC."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class InstrumentFields(Incoming):
    """What is entered about an instrument. ``streamweave.instruments.fields`` has the rules of the fields."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    location: str | UnsetType | None = UNSET
    pid: str | UnsetType | None = UNSET
    cifs_host: str | UnsetType = UNSET
    cifs_port: int | UnsetType = UNSET
    cifs_share: str | UnsetType = UNSET
    cifs_base_path: str | UnsetType = UNSET
    service_account_id: UUID | UnsetType | None = UNSET
    require_encryption: bool | UnsetType = UNSET
    authentication: str | UnsetType = UNSET
    transfer_adapter: str | UnsetType = UNSET
    transfer_config: dict[str, Any] | UnsetType | None = UNSET
    timezone: str | UnsetType = UNSET
    first_acquisition_day: date | UnsetType = UNSET
    quiet_period_seconds: int | UnsetType = UNSET
    max_wait_seconds: int | UnsetType = UNSET
    probe_open_writer: bool | UnsetType = UNSET
    marker_suffix: str | UnsetType | None = UNSET
    shrink_threshold: float | UnsetType = UNSET
    poll_interval_seconds: int | UnsetType = UNSET
    max_attempts: int | UnsetType = UNSET
    retry_delay_seconds: int | UnsetType = UNSET
    silence_alert_after_seconds: int | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    acquisition_depth: int | UnsetType | None = UNSET
    marker_name: str | UnsetType | None = UNSET
    growing_files: str | UnsetType = UNSET
    rehash_share: float | UnsetType = UNSET
    rehash_bytes: int | UnsetType = UNSET


class InstrumentChanges(InstrumentFields):
    """Any of an instrument's fields that can be changed.

    ``address_change`` is needed where files are known and ``cifs_host``, ``cifs_share`` or ``cifs_base_path`` changes.
    ``same_files``: the known files are at the new address; their records, identifiers and history stay, and their
    source paths move. ``other_files``: other files are there; the known ones count as gone from the source.
    """

    address_change: str | UnsetType = UNSET


class NewInstrument(InstrumentFields, kw_only=True):
    """An instrument as it is entered. The slug is made from the name if it isn't given, and never changes."""

    name: str
    cifs_host: str
    cifs_share: str
    slug: str | UnsetType = UNSET


class InstrumentBody(Outgoing):
    """An instrument."""

    id: UUID
    slug: str
    name: str
    description: str | None
    location: str | None
    pid: str | None
    cifs_host: str
    cifs_port: int
    cifs_share: str
    cifs_base_path: str
    service_account_id: UUID | None
    require_encryption: bool
    authentication: str
    transfer_adapter: str
    transfer_config: dict[str, Any] | None
    timezone: str
    first_acquisition_day: date
    quiet_period_seconds: int
    max_wait_seconds: int
    probe_open_writer: bool
    marker_suffix: str | None
    shrink_threshold: float
    poll_interval_seconds: int
    max_attempts: int
    retry_delay_seconds: int
    silence_alert_after_seconds: int | None
    enabled: bool
    acquisition_depth: int | None
    marker_name: str | None
    growing_files: str
    rehash_share: float
    rehash_bytes: int
    cleanup_acknowledged_at: datetime | None
    last_harvested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class ScanBody(Outgoing):
    """One look at a share: ``outcome`` says what came of it, ``error_kind`` and ``error_message`` why it failed.

    ``unreadable_folders`` counts the folders that could not be listed; ``folders_not_listed`` says of the
    first 1,000 of them, by name, why: what stands in them was not seen.
    """

    id: UUID
    instrument_id: UUID
    dagster_run_id: str | None
    outcome: str
    error_kind: str | None
    error_message: str | None
    folders: int
    files: int
    bytes: int
    new_files: int
    changed_files: int
    gone_files: int
    unreadable_folders: int
    folders_not_listed: dict[str, str]
    acknowledged: bool
    started_at: datetime
    finished_at: datetime | None


class ShareAnswered(Outgoing, kw_only=True):
    """The share can be listed: files and folders that lie directly in its base folder."""

    ok: Literal[True] = True
    files: int
    folders: int
    seconds: float


class ShareRefused(Outgoing, kw_only=True):
    """The share can't be listed; ``error_kind`` is a word as scans have it, ``detail`` a sentence."""

    ok: Literal[False] = False
    error_kind: str
    detail: str


class HarvestStarted(Outgoing):
    """The run that was started."""

    run_id: str
    instrument_id: UUID
