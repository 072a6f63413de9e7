"""What is asked about files: each with its newest version, and only those that the viewer may see."""

import uuid
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Select, Uuid, and_, any_, bindparam, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from streamweave.access.access_scope import Kind, openings_of
from streamweave.access.visibility import covered_ids, not_withdrawn, visible_by
from streamweave.catalog.pages import Order, Page, PageRequest, Place, bookmark, page_of
from streamweave.catalog.tables import FileRecord, FileVersion, Scan, User
from streamweave.errors import NotFound
from streamweave.files.first_selected import first_selected, first_selected_of
from streamweave.files.listed_files import LISTED, ListedFile
from streamweave.files.orders import NEWEST_FIRST, Sort, order_of
from streamweave.files.selection import EVERYTHING, Selection, openings_asked, selected

_NEWEST_VERSION = Order(FileVersion.discovered_at, FileVersion.id, newest_first=True)
_IDS = ARRAY(Uuid())
_NEWEST_SCAN = Order(Scan.started_at, Scan.id, newest_first=True)


def files(
    session: Session,
    viewer: User,
    request: PageRequest,
    selection: Selection = EVERYTHING,
    sort: Sort = NEWEST_FIRST,
) -> Page[ListedFile]:
    """The files of ``selection`` that ``viewer`` may see.

    Raises ``InvalidInput``, also for a cursor of another selection or order.
    """
    begin = bookmark(order_of(sort), request, selection.scope)
    openings = openings_asked(session, viewer, selection)
    if openings is None:
        first = first_selected(session, selection, begin)
    else:
        first = first_selected_of(session, openings, selection, begin, withdrawn_too=viewer.is_admin)
    return begin.page(session.execute(_listed(sort), {"ids": first}).all() if first else [])


@cache
def _listed(sort: Sort) -> Select[Any]:
    """The files with given ids in order, and what the page needs to know of the order."""
    order = order_of(sort)
    newest = and_(FileVersion.file_id == FileRecord.id, FileVersion.is_newest)
    found = select(*LISTED, order.key.label("order_key"), order.id.label("order_id")).join(FileVersion, newest)
    return Place(order, continued=False).in_order(found.where(FileRecord.id == any_(bindparam("ids", type_=_IDS))))


def count_of_files(session: Session, viewer: User, selection: Selection = EVERYTHING) -> int:
    """How many files of ``selection`` ``viewer`` may see. Costs time in proportion to that number."""
    openings = openings_asked(session, viewer, selection)
    if openings is not None and openings.kinds and not selection.filters:
        # of all that is open, indexes tell: no file has to be looked at
        return session.scalar(_number_open(openings.kinds, withdrawn_too=viewer.is_admin), openings.values) or 0
    found = selected(viewer, selection, openings).with_only_columns(func.count(), maintain_column_froms=True)
    return session.scalar(found, selection.values) or 0


@cache
def _number_open(kinds: tuple[Kind, ...], *, withdrawn_too: bool) -> Select[tuple[int]]:
    ids = covered_ids(kinds).subquery()
    number = select(func.count(ids.c.id.distinct()))
    return number if withdrawn_too else number.where(not_withdrawn(ids.c.id))


def file_by_id(session: Session, viewer: User, file_id: uuid.UUID) -> FileVersion:
    """The newest version of a file, with the record in ``file``. ``NotFound`` for what ``viewer`` may not see, too."""
    openings = None if viewer.is_admin else openings_of(session, viewer)
    values = {"file_id": file_id} if openings is None else {"file_id": file_id, **openings.values}
    version = session.scalar(_one_file(openings and openings.kinds), values)
    if version is None:
        raise NotFound("File")
    return version


@cache
def _one_file(kinds: tuple[Kind, ...] | None) -> Select[tuple[FileVersion]]:
    """For those whose openings are of these kinds; None for who sees everything."""
    found = _with_records().where(FileVersion.is_newest, FileRecord.id == bindparam("file_id"))
    return found if kinds is None else found.where(visible_by(kinds))


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
