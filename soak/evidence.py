"""Evidence: what is found after a trial, on the share, in the archives and in the catalog. Read, and not judged."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Engine

from streamweave.catalog.session import catalog_sessions
from streamweave.catalog.tables import FileRecord, FileVersion, StorageLocation, Transfer, TransferStatus
from streamweave.storage.safe_path import CONTROL


class Version(NamedTuple):
    """A version in the catalog, with its file."""

    id: uuid.UUID
    source_path: str
    persistent_id: str
    number: int
    is_newest: bool
    state: str
    reason: str
    size_bytes: int
    sha256: str | None
    is_gone: bool
    is_enriched: bool
    clock_skew_seconds: float | None


class Copy(NamedTuple):
    """A transfer in the catalog. ``location`` is the storage location's name, ``path`` the place in it."""

    version_id: uuid.UUID
    location: str
    path: str
    status: str
    bytes_transferred: int | None
    is_verified: bool


@dataclass(frozen=True)
class Evidence:
    """``contents`` are the SHA-256 of all contents that a file has had, oldest first, by source path.

    ``lapsed`` are those that nobody could harvest: they were gone before a harvest was left alone.
    ``archives`` are the SHA-256 of every file under a final name, ``staged`` the temporary files, by location.
    """

    contents: Mapping[str, Sequence[str]]
    lapsed: Mapping[str, Sequence[str]]
    on_share: frozenset[str]
    skipped: frozenset[str]
    archives: Mapping[str, Mapping[str, str]]
    staged: Mapping[str, Sequence[str]]
    versions: Sequence[Version]
    copies: Sequence[Copy]


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def archived_in(root: Path) -> dict[str, str]:
    """Every file under a final name below an archive's root."""
    files = [path for path in root.rglob("*") if path.is_file() and CONTROL not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): sha256(path.read_bytes()) for path in files}


def staged_in(root: Path) -> list[str]:
    """Every temporary file of an archive."""
    incoming = root / CONTROL / "incoming"
    return [path.name for path in incoming.rglob("*") if path.is_file()]


def versions_in(engine: Engine) -> list[Version]:
    """All versions, oldest first."""
    query = (
        select(
            FileVersion.id,
            FileRecord.source_path,
            FileRecord.persistent_id,
            FileVersion.number,
            FileVersion.is_newest,
            FileVersion.state,
            FileVersion.reason,
            FileVersion.size_bytes,
            FileVersion.sha256,
            FileRecord.gone_at.is_not(None),
            FileVersion.enriched_hooks.is_not(None),
            FileVersion.clock_skew_seconds,
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .order_by(FileRecord.source_path, FileVersion.number)
    )
    return [Version._make(row) for row in _rows(engine, query)]


def copies_in(engine: Engine) -> list[Copy]:
    """All transfers."""
    query = select(
        Transfer.version_id,
        StorageLocation.name,
        Transfer.destination_path,
        Transfer.status,
        Transfer.bytes_transferred,
        Transfer.checksum_verified,
    ).join(StorageLocation, StorageLocation.id == Transfer.storage_location_id)
    return [Copy._make(row) for row in _rows(engine, query)]


def identifiers_in(engine: Engine) -> dict[str, str]:
    """The source path that the persistent identifier of each file with an archived copy leads to."""
    has_copy = select(Transfer.id).where(Transfer.file_id == FileRecord.id, Transfer.status == TransferStatus.COMPLETED)
    return dict(_rows(engine, select(FileRecord.persistent_id, FileRecord.source_path).where(has_copy.exists())))


def _rows(engine: Engine, query: Any) -> Sequence[Any]:
    with catalog_sessions(engine)() as session:
        return session.execute(query).all()
