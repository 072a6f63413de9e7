"""What is asked about files: each with its newest version, and only those that the viewer may see."""

import uuid
from functools import partial

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from streamweave.access.visibility import visible_files
from streamweave.catalog.tables import FileRecord, FileVersion, Scan, User
from streamweave.errors import NotFound
from streamweave.files.first_selected import first_selected, first_selected_of
from streamweave.files.orders import NEWEST_FIRST, Sort, order_of
from streamweave.files.selection import EVERYTHING, Selection, openings_asked, selected
from streamweave.pages import Narrowing, Order, Page, PageRequest, page_of

_NEWEST_VERSION = Order(FileVersion.discovered_at, FileVersion.id, newest_first=True)
_NEWEST_SCAN = Order(Scan.started_at, Scan.id, newest_first=True)


def files(
    session: Session,
    viewer: User,
    request: PageRequest,
    selection: Selection = EVERYTHING,
    sort: Sort = NEWEST_FIRST,
) -> Page[FileVersion]:
    """The files of ``selection`` that ``viewer`` may see: each as its newest version, with the record in ``file``.

    Raises ``InvalidInput``, also for a cursor of another selection or order.
    """
    openings = openings_asked(session, viewer, selection)
    if openings is None:
        first: Narrowing = partial(first_selected, session, selection)
    else:
        first = partial(first_selected_of, session, viewer, openings, selection)
    query = _with_records().where(FileVersion.is_newest)
    return page_of(session, query, order_of(sort), request, scope=selection.scope, narrowed=first)


def count_of_files(session: Session, viewer: User, selection: Selection = EVERYTHING) -> int:
    """How many files of ``selection`` ``viewer`` may see. Costs time in proportion to that number."""
    found = selected(session, viewer, selection).with_only_columns(func.count(), maintain_column_froms=True)
    return session.scalar(found) or 0


def file_by_id(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """The newest version of a file, with the record in ``file``. ``NotFound`` for what ``viewer`` may not see, too."""
    query = _with_records().where(FileVersion.is_newest, visible_files(session, viewer), FileRecord.id == file_id)
    version = session.scalar(query)
    if version is None:
        raise NotFound("File")
    return version


def versions_of(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[FileVersion]:
    """All versions of a file, newest first. Raises ``NotFound`` as ``file_by_id`` does."""
    file_by_id(session, viewer, file_id)
    return page_of(session, select(FileVersion).where(FileVersion.file_id == file_id), _NEWEST_VERSION, request)


def version_by_number(session: Session, viewer: User, file_id: uuid.UUID, number: int) -> FileVersion:
    """One version of a file, with the record in ``file``. Raises ``NotFound`` for what ``viewer`` may not see, too."""
    file_by_id(session, viewer, file_id)
    version = session.scalar(_with_records().where(FileRecord.id == file_id, FileVersion.number == number))
    if version is None:
        raise NotFound("Version")
    return version


def scans_of_file(session: Session, viewer: User, file_id: uuid.UUID, request: PageRequest) -> Page[Scan]:
    """The looks at the file's share since the one that discovered it, newest first. Raises ``NotFound``.

    Their counts tell of files that ``viewer`` may not see: show none of them.
    """
    record = file_by_id(session, viewer, file_id).file
    looked = or_(Scan.finished_at.is_(None), Scan.finished_at >= record.first_discovered_at)
    query = select(Scan).where(Scan.instrument_id == record.instrument_id, looked)
    return page_of(session, query, _NEWEST_SCAN, request, scope=str(file_id))


def _with_records() -> Select[tuple[FileVersion]]:
    return select(FileVersion).join(FileVersion.file).options(contains_eager(FileVersion.file))
