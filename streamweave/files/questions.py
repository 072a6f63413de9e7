"""What is asked about files: each with its newest version, and only those that the viewer may see."""

import uuid

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager

from streamweave.access.visibility import visible_files
from streamweave.catalog.tables import FileRecord, FileVersion, User, VersionState
from streamweave.errors import NotFound
from streamweave.pages import Order, Page, PageRequest, page_of

_NEWEST_FILE = Order(FileRecord.first_discovered_at, FileRecord.id, newest_first=True)
_NEWEST_VERSION = Order(FileVersion.discovered_at, FileVersion.id, newest_first=True)


def files(
    session: Session,
    viewer: User,
    request: PageRequest,
    *,
    instrument_id: uuid.UUID | None = None,
    state: VersionState | None = None,
) -> Page[FileVersion]:
    """The files that ``viewer`` may see, newest first: each as its newest version, with the record in ``file``."""
    query = _newest_versions(viewer)
    if instrument_id is not None:
        query = query.where(FileRecord.instrument_id == instrument_id)
    if state is not None:
        query = query.where(FileVersion.state == state)
    return page_of(session, query, _NEWEST_FILE, request)


def file_by_id(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """The newest version of a file, with the record in ``file``. ``NotFound`` for what ``viewer`` may not see, too."""
    version = session.scalar(_newest_versions(viewer).where(FileRecord.id == file_id))
    if version is None:
        raise NotFound("File")
    return version


def versions_of(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FileVersion]:
    """All versions of a file, newest first. Raises ``NotFound`` as ``file_by_id`` does."""
    file_by_id(session, viewer, file_id)
    return page_of(session, select(FileVersion).where(FileVersion.file_id == file_id), _NEWEST_VERSION, request)


def _newest_versions(viewer: User) -> Select[tuple[FileVersion]]:
    return (
        select(FileVersion)
        .join(FileVersion.file)
        .options(contains_eager(FileVersion.file))
        .where(FileVersion.is_newest, visible_files(viewer))
    )
