"""What is asked about transfers: only those of files that the viewer may see."""

import uuid
from functools import partial

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, literal, select
from sqlalchemy.orm import Session, joinedload

from streamweave.access.openings import openings_of
from streamweave.access.visibility import covered, covered_one_by_one, few_covered, visible_files
from streamweave.catalog.tables import FileRecord, Transfer, TransferStatus, User
from streamweave.errors import NotFound
from streamweave.filtered_lists import filtered_list
from streamweave.pages import Order, Page, PageRequest, Place, Values, page_of

_NEWEST = Order(Transfer.created_at, Transfer.id, newest_first=True)


def transfers(
    session: Session,
    viewer: User,
    request: PageRequest,
    *,
    file_id: uuid.UUID | None = None,
    instrument_id: uuid.UUID | None = None,
    status: TransferStatus | None = None,
) -> Page[Transfer]:
    """The transfers of files that ``viewer`` may see, newest first, with storage location and run."""
    wanted = {Transfer.file_id: file_id, Transfer.instrument_id: instrument_id, Transfer.status: status}
    asked = [column == value for column, value in wanted.items() if value is not None]
    query = _with_places_and_runs().where(*asked)
    if viewer.is_admin:
        return page_of(session, query, _NEWEST, request)
    return page_of(session, query, _NEWEST, request, narrowed=partial(_first_visible, session, viewer, asked))


def transfer_by_id(session: Session, viewer: User, transfer_id: uuid.UUID) -> Transfer:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    query = _with_places_and_runs().join(FileRecord, FileRecord.id == Transfer.file_id)
    transfer = session.scalar(query.where(Transfer.id == transfer_id, visible_files(session, viewer)))
    if transfer is None:
        raise NotFound("Transfer")
    return transfer


def _with_places_and_runs() -> Select[tuple[Transfer]]:
    return select(Transfer).options(joinedload(Transfer.storage_location), joinedload(Transfer.run))


def _first_visible(
    session: Session, viewer: User, asked: list[ColumnElement[bool]], place: Place, values: Values
) -> ColumnElement[bool]:
    openings = openings_of(session, viewer)
    few = few_covered(session, openings)
    shown = select(Transfer).where(*asked).join(FileRecord, FileRecord.id == Transfer.file_id)
    shown = shown.where(FileRecord.withdrawn_at.is_(None))
    if few is not None:
        theirs = shown.where(FileRecord.id == any_(literal(few, ARRAY(Uuid))))
        return Transfer.id.in_(place.applied(theirs.with_only_columns(Transfer.id)))
    visible, walked = shown.where(covered(openings)), shown.where(covered_one_by_one(openings))
    return Transfer.id.in_(filtered_list(visible, select(Transfer), place, walked=walked).first(session, values))
