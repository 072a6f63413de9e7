"""Queries and conditions about an instrument's files and versions that several steps share."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, checked, digest_of_path, is_at, is_one_of
from streamweave.catalog.tables import ONCE_COMPLETED, FileRecord, FileVersion, Transfer, TransferStatus, VersionState
from streamweave.catalog.tables.files import WATCHED
from streamweave.harvest.scan_compare import Expected, KnownFile


def is_claimed() -> ColumnElement[bool]:
    """Over ``FileVersion``: a run holds a claim on it."""
    return exists().where(Transfer.version_id == FileVersion.id, Transfer.status == TransferStatus.IN_PROGRESS)


def has_a_copy() -> ColumnElement[bool]:
    """Over ``FileVersion``: some storage location has it, or had it until its copy was damaged."""
    return exists().where(
        Transfer.version_id == FileVersion.id,
        Transfer.status.in_(ONCE_COMPLETED),
    )


def of_files(file_ids: Collection[uuid.UUID], *statuses: TransferStatus) -> ColumnElement[bool]:
    """Over ``Transfer``: it is of one of these files, and of one of these statuses."""
    versions = select(FileVersion.id).where(is_one_of(FileVersion.file_id, file_ids))
    return Transfer.version_id.in_(versions) & checked(Transfer.status.in_(statuses))


def once_copied(session: Session, file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The versions of these files that some storage location has, or had until its copy was damaged."""
    return set(session.scalars(select(Transfer.version_id).where(of_files(file_ids, *ONCE_COMPLETED))))


def expected_files(session: Session, instrument_id: uuid.UUID, which: ColumnElement[bool]) -> Sequence[Expected]:
    """What should be there; ``which`` is over ``FileRecord``. One query, whatever the number of folders or paths."""
    query = (
        select(
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            case((FileVersion.state.in_(WATCHED), FileVersion.id)),
            FileVersion.state.in_((VersionState.VANISHED, VersionState.SUPERSEDED)),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None), which)
    )
    return session.connection().execute(query).tuples().all()


def known_files(session: Session, instrument_id: uuid.UUID, source_paths: Collection[str]) -> dict[str, KnownFile]:
    """What is known of these files, gone ones too, by source path: one query, whatever their number."""
    rows = session.connection().execute(
        select(
            FileRecord.id,
            FileVersion.id,
            FileRecord.source_path,
            FileVersion.number,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.state,
            FileRecord.gone_at.is_not(None),
            case((FileVersion.state != VersionState.ARCHIVED, is_claimed()), else_=False),
            FileVersion.unfinished.is_not(None),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(FileRecord.instrument_id == instrument_id, is_at(map(digest_of_path, source_paths)))
    )
    return {row[2]: KnownFile(*row) for row in rows}


def expected_by_folder(
    session: Session, instrument_id: uuid.UUID, before: datetime, *, gone_since: datetime
) -> Iterator[tuple[str, int, int]]:
    """For each folder, how many files known ``before`` should be in it, and how many archived ones are gone.

    Those count that were called gone after ``gone_since``. Folders come one by one.
    """
    exists_there, is_gone = FileRecord.gone_at.is_(None), FileRecord.gone_at > gone_since
    # a subquery for each row: most files are not gone, and for those it is not run
    archived = select(FileVersion.id).where(FileVersion.file_id == FileRecord.id, FileVersion.sha256.is_not(None))
    rows = session.execute(
        select(
            FileRecord.folder,
            func.count().filter(exists_there),
            func.count().filter(is_gone, archived.limit(1).scalar_subquery().is_not(None)),
        )
        .where(
            FileRecord.instrument_id == instrument_id,
            or_(exists_there, is_gone),
            FileRecord.first_discovered_at < before,
        )
        .group_by(FileRecord.folder)
        .execution_options(yield_per=BATCH)
    )
    for row in rows:
        yield row._tuple()
