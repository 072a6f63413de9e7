"""The bodies of files and their versions. Sizes are in bytes, times in UTC."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import field

from streamweave.catalog.tables import FileVersion
from streamweave.files.queries import ListedFile
from streamweave_api.bodies import Incoming, Outgoing


class FileBody(Outgoing):
    """A file: its record, and where its newest version stands."""

    id: UUID
    persistent_id: str
    persistent_id_type: str
    instrument_id: UUID
    source_path: str
    filename: str
    size_bytes: int
    source_mtime: datetime
    xxhash: str | None
    sha256: str | None
    first_discovered_at: datetime
    metadata_: dict[str, Any]
    owner_id: UUID | None
    gone_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    version: int
    acquisition_day: date
    state: str
    reason: str
    state_since: datetime


class VersionBody(Outgoing):
    """One content of a file.

    ``unfinished`` says why it was archived though the instrument may not have finished it; ``found_by_rereading`` that
    size and mtime did not tell it from the version before; ``source_verified_at`` when the source was last read again
    and had this content.
    """

    id: UUID
    file_id: UUID
    number: int
    is_newest: bool
    size_bytes: int
    source_mtime: datetime
    acquisition_day: date
    clock_skew_seconds: float | None
    xxhash: str | None
    sha256: str | None
    state: str
    reason: str
    state_since: datetime
    discovered_at: datetime
    failures: int
    retry_at: datetime | None
    archived_at: datetime | None
    unfinished: str | None
    found_by_rereading: bool
    source_verified_at: datetime | None
    enrichment_error: str | None


class FileScanBody(Outgoing):
    """One look at a file's share. What else it saw is not told: it may be others' files."""

    id: UUID
    outcome: str
    started_at: datetime
    finished_at: datetime | None


class EventBody(Outgoing):
    """What happened to a file; ``streamweave.files.queries`` has the words of ``event``."""

    at: datetime
    event: str
    version: int | None
    detail: str | None
    storage_location: str | None
    transfer_id: UUID | None


class ArchiveRequest(Incoming):
    """Which files go into a ZIP; empty where filters in the address select them."""

    file_ids: list[UUID] = field(default_factory=list)


class Withdrawal(Incoming):
    """Why a file is withdrawn; its tombstone shows it."""

    reason: str


def listed_body(file: ListedFile) -> FileBody:
    """A file of a list."""
    return FileBody(**{field: getattr(file, field) for field in FileBody.__struct_fields__})


def file_body(newest: FileVersion) -> FileBody:
    """The file of a newest version, whose record is loaded."""
    record = newest.file
    return FileBody(
        id=record.id,
        persistent_id=record.persistent_id,
        persistent_id_type=record.persistent_id_type,
        instrument_id=record.instrument_id,
        source_path=record.source_path,
        filename=record.filename,
        size_bytes=record.size_bytes,
        source_mtime=record.source_mtime,
        xxhash=newest.xxhash,
        sha256=newest.sha256,
        first_discovered_at=record.first_discovered_at,
        metadata_=record.metadata_,
        owner_id=record.owner_id,
        gone_at=record.gone_at,
        withdrawn_at=record.withdrawn_at,
        withdrawn_reason=record.withdrawn_reason,
        version=newest.number,
        acquisition_day=newest.acquisition_day,
        state=newest.state,
        reason=newest.reason,
        state_since=newest.state_since,
    )
