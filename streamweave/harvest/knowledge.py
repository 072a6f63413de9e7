"""What the catalog knows of an instrument's files, as discovery asks for it."""

import hashlib
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Transfer, TransferStatus, VersionState
from streamweave.harvest.comparison import KnownFile


def is_claimed() -> ColumnElement[bool]:
    """Over ``FileVersion``: some run holds a claim on it."""
    return exists().where(Transfer.version_id == FileVersion.id, Transfer.status == TransferStatus.IN_PROGRESS)


def has_a_copy() -> ColumnElement[bool]:
    """Over ``FileVersion``: some storage location has it."""
    return exists().where(Transfer.version_id == FileVersion.id, Transfer.status == TransferStatus.COMPLETED)


def known_files(session: Session, instrument_id: uuid.UUID, folders: Collection[str]) -> dict[str, KnownFile]:
    """What is known of these folders (not of what is below them), by source path: one query, whatever their number."""
    rows = session.execute(
        select(
            FileRecord.id,
            FileVersion.id,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.state,
            FileRecord.gone_at.is_not(None),
            case((FileVersion.state != VersionState.ARCHIVED, is_claimed()), else_=False),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(
            FileRecord.instrument_id == instrument_id,
            func.md5(FileRecord.folder).in_([_digest(folder) for folder in folders]),
        )
    )
    return {row[2]: KnownFile(*row) for row in rows}


def present_files_by_folder(session: Session, instrument_id: uuid.UUID, before: datetime) -> dict[str, int]:
    """How many files should stand in each folder, as far as we knew at a moment."""
    rows = session.execute(
        select(FileRecord.folder, func.count())
        .where(
            FileRecord.instrument_id == instrument_id,
            FileRecord.gone_at.is_(None),
            FileRecord.first_discovered_at < before,
        )
        .group_by(FileRecord.folder)
    )
    return dict(row._tuple() for row in rows)


def present_files_in(session: Session, instrument_id: uuid.UUID, folders: Collection[str]) -> Iterator[uuid.UUID]:
    """The files known in these folders that were not called gone."""
    yield from session.scalars(
        select(FileRecord.id).where(
            FileRecord.instrument_id == instrument_id,
            FileRecord.gone_at.is_(None),
            func.md5(FileRecord.folder).in_([_digest(folder) for folder in folders]),
        )
    )


def _digest(folder: str) -> str:
    """As Postgres digests it: folders may be longer than an index entry can hold."""
    return hashlib.md5(folder.encode(), usedforsecurity=False).hexdigest()
