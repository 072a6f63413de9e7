"""What the catalog knows of an instrument's files, as discovery asks for it."""

import hashlib
import uuid
from collections.abc import Collection, Iterator

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Transfer, TransferStatus, VersionState
from streamweave.harvest.comparison import KnownFile


def is_claimed() -> ColumnElement[bool]:
    """Over ``FileVersion``: some run holds a claim on it."""
    return exists().where(Transfer.version_id == FileVersion.id, Transfer.status == TransferStatus.IN_PROGRESS)


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
            case((FileVersion.state == VersionState.PENDING, is_claimed()), else_=False),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(
            FileRecord.instrument_id == instrument_id,
            func.md5(FileRecord.folder).in_([_digest(folder) for folder in folders]),
        )
    )
    return {row[2]: KnownFile(*row) for row in rows}


def known_folders(session: Session, instrument_id: uuid.UUID) -> set[str]:
    """Every folder in which files are known that were not called gone."""
    return set(
        session.scalars(
            select(FileRecord.folder)
            .where(FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None))
            .distinct()
        )
    )


def present_file_count(session: Session, instrument_id: uuid.UUID) -> int:
    """How many files should stand on the share, as far as we know."""
    return session.execute(
        select(func.count()).where(FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None))
    ).scalar_one()


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
