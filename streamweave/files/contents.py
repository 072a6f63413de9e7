"""The content of archived versions: which copies a viewer may read, and reading a span of the first one that opens."""

import logging
import mimetypes
import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from streamweave.access.visibility import visible_files
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    StorageLocation,
    Transfer,
    TransferStatus,
    User,
)
from streamweave.errors import Conflict, CopyUnavailable, InvalidInput, NotArchived, NotFound, StorageError
from streamweave.files.queries import file_by_id, version_by_number
from streamweave.files.selection import Selection, access_scope_asked, selected
from streamweave.storage.base import Storage

LARGEST_SELECTION = 10_000  # files
UNKNOWN_TYPE = "application/octet-stream"

logger = logging.getLogger(__name__)
OpenStorage = Callable[[StorageLocation], Storage]
Pieces = Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """A copy of an archived version: ``path`` within ``location``."""

    location: StorageLocation
    path: str


@dataclass(frozen=True, slots=True)
class Content:
    """An archived version, with every copy of it that is not known to be damaged: perhaps none.

    ``sha256`` is in hexadecimal digits. ``mtime`` is when the instrument wrote it, ``timezone`` the instrument's.
    ``modified_at`` is the same, or, of a content that came without a new mtime, when we found it.
    """

    file_id: uuid.UUID
    number: int
    source_path: str
    filename: str
    archive_folder: str
    size_bytes: int
    sha256: str
    archived_at: datetime | None
    mtime: datetime
    modified_at: datetime
    timezone: str
    copies: tuple[StoredCopy, ...]


def newest_content(session: Session, viewer: User, file_id: uuid.UUID) -> Content:
    """The newest archived version of a file.

    Raises ``NotFound`` for what ``viewer`` may not see, ``Conflict`` while no version is archived.
    """
    newest = file_by_id(session, viewer, file_id)
    found = _contents(session, _completed().where(FileVersion.file_id == file_id))
    if not found:
        raise Conflict(f"This file is not archived yet: it is {newest.state}")
    return found[0]


def content_of_version(session: Session, viewer: User, file_id: uuid.UUID, number: int) -> Content:
    """One version of a file; for one that was only touched, the version whose content it has.

    Raises as ``newest_content`` does.
    """
    version = version_by_number(session, viewer, file_id, number)
    same = _completed().where(FileVersion.file_id == file_id, FileVersion.sha256 == version.sha256)
    found = _contents(session, same) if version.sha256 else []
    if not found:
        raise Conflict(f"Version {number} of this file is not archived: it is {version.state}")
    return found[0]


def contents_by_id(session: Session, viewer: User, file_ids: Sequence[uuid.UUID]) -> list[Content]:
    """The newest archived versions of these files, in their order, each once.

    Raises ``NotFound`` if ``viewer`` may not see one of them, ``NotArchived`` if one has no archived version, and
    ``InvalidInput`` if there are too many.
    """
    wanted = list(dict.fromkeys(file_ids))
    _check_number("file_ids", len(wanted))
    seen = set(session.scalars(select(FileRecord.id).where(FileRecord.id.in_(wanted), visible_files(session, viewer))))
    if len(seen) < len(wanted):
        raise NotFound("File")
    found = _newest_of_each(_contents(session, _completed().where(FileVersion.file_id.in_(wanted))))
    for file_id in wanted:
        if file_id not in found:
            raise NotArchived(file_id)
    return [found[file_id] for file_id in wanted]


def contents_selected(session: Session, viewer: User, selection: Selection) -> list[Content]:
    """The newest archived versions of a selection's files that ``viewer`` may see; files without one are left out.

    Raises ``NotFound`` if none remains, and ``InvalidInput`` if there are too many.
    """
    scope = access_scope_asked(session, viewer, selection)
    ids = selected(viewer, selection, scope).with_only_columns(FileRecord.id)
    wanted = session.scalars(ids.limit(LARGEST_SELECTION + 1), selection.values).all()
    _check_number("filters", len(wanted))
    found = _newest_of_each(_contents(session, _completed().where(FileVersion.file_id.in_(wanted))))
    if not found:
        raise NotFound("File")
    return sorted(found.values(), key=lambda content: content.source_path)


def _completed() -> Select[tuple[Transfer]]:
    """The transfers of what was archived by file, the newest version's first; those of copies since damaged too."""
    return (
        select(Transfer)
        .join(Transfer.version)
        .join(FileVersion.file)
        .where(Transfer.status.in_(ONCE_COMPLETED), FileVersion.sha256.is_not(None))
        .options(
            contains_eager(Transfer.version).contains_eager(FileVersion.file).joinedload(FileRecord.instrument),
            joinedload(Transfer.storage_location),
        )
        .order_by(FileVersion.file_id, FileVersion.number.desc(), Transfer.completed_at)
    )


def _contents(session: Session, transfers: Select[tuple[Transfer]]) -> list[Content]:
    completed = session.scalars(transfers)
    return [_content(list(copies)) for _, copies in groupby(completed, key=lambda transfer: transfer.version_id)]


def _content(copies: list[Transfer]) -> Content:
    version = copies[0].version
    return Content(
        file_id=version.file_id,
        number=version.number,
        source_path=version.file.source_path,
        filename=version.file.filename,
        archive_folder=version.file.instrument.archive_folder,
        size_bytes=version.size_bytes,
        sha256=version.sha256 or "",
        archived_at=version.archived_at,
        mtime=version.source_mtime,
        modified_at=version.discovered_at if version.found_by_rereading else version.source_mtime,
        timezone=version.file.instrument.timezone,
        copies=tuple(
            StoredCopy(copy.storage_location, copy.destination_path or "")
            for copy in copies
            if copy.status == TransferStatus.COMPLETED and copy.damage is None
        ),
    )


def _newest_of_each(contents: Sequence[Content]) -> dict[uuid.UUID, Content]:
    """By file, whose contents come one after the other, the newest first."""
    return {file_id: next(versions) for file_id, versions in groupby(contents, key=lambda content: content.file_id)}


def _check_number(field: str, number: int) -> None:
    if number == 0 and field == "file_ids":
        raise InvalidInput(field, "must name a file")
    if number > LARGEST_SELECTION:
        raise InvalidInput(field, f"must select at most {LARGEST_SELECTION} files")


def media_type(filename: str) -> str:
    """The media type that the name suggests; the content is not read."""
    return mimetypes.guess_type(filename)[0] or UNKNOWN_TYPE


class OpenCopy:
    """An iterator over the pieces of an opened copy. ``close`` lets go of the file, whether it was read or not.

    Raises ``StorageError`` from the midst of reading, and ``CopyUnavailable`` when the copy ends too early.
    """

    def __init__(self, first: bytes, rest: Pieces, length: int) -> None:
        self._first = first
        self._rest = rest
        self._missing = length

    def __iter__(self) -> "OpenCopy":
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first or next(self._rest, b""), b""
        if not piece and self._missing:
            raise CopyUnavailable
        if not piece:
            raise StopIteration
        self._missing -= len(piece)
        return piece

    def close(self) -> None:
        """Let go of the file."""
        self._rest.close()


def open_copy(content: Content, open_storage: OpenStorage, offset: int = 0, length: int | None = None) -> OpenCopy:
    """The first copy of ``content`` that can be read, opened, from byte ``offset`` on, ``length`` bytes or all.

    No mark is compared: a copy is asked for by its path, and nothing is concluded from its absence.
    Raises ``CopyUnavailable`` when there is none.
    """
    expected = content.size_bytes - offset if length is None else length
    for copy in content.copies:
        try:
            rest = open_storage(copy.location).read(copy.path, offset, expected)
            first = next(rest, b"")
        except StorageError as error:
            logger.warning("version %s of file %s: %s", content.number, content.file_id, error)
            continue
        if first or expected == 0:
            return OpenCopy(first, rest, expected)
        rest.close()
        logger.warning("version %s of file %s: %s is too short", content.number, content.file_id, copy.path)
    raise CopyUnavailable
