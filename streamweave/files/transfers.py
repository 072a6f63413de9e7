"""What is asked about transfers: only those of files that the viewer may see."""

import uuid
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, bindparam, select
from sqlalchemy.orm import Session, joinedload

from streamweave.access.visibility import (
    Kind,
    access_scope_of,
    covered_by,
    covered_one_by_one,
    few_covered,
    visible_files,
)
from streamweave.catalog.pages import Order, Page, PageRequest, Place, Values, page_of
from streamweave.catalog.tables import FileRecord, Transfer, TransferStatus, User
from streamweave.errors import NotFound
from streamweave.files.listing import KEPT_LISTS, Ids, WalkedList, walked_list

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
    asked = {"file_id": file_id, "instrument_id": instrument_id, "status": status}
    wanted = {name: value for name, value in asked.items() if value is not None}
    query = _with_places_and_runs().filter_by(**wanted)
    if viewer.is_admin:
        return page_of(session, query, _NEWEST, request)
    return page_of(session, query, _NEWEST, request, narrowed=partial(_first_visible, session, viewer, wanted))


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
    session: Session, viewer: User, wanted: Mapping[str, Any], place: Place, values: Values
) -> ColumnElement[bool]:
    scope = access_scope_of(session, viewer)
    values = {**values, **scope.values, **wanted}
    few = few_covered(session, scope)
    if few is not None:
        return Transfer.id.in_(session.scalars(_first_of_few(tuple(wanted), place), {**values, "few": few}).all())
    return Transfer.id.in_(_visible_list(scope.kinds, tuple(wanted), place).first(session, values))


@lru_cache(KEPT_LISTS)
def _first_of_few(wanted: tuple[str, ...], place: Place) -> Ids:
    few = FileRecord.id == any_(bindparam("few", type_=ARRAY(Uuid)))
    return place.applied(_shown(wanted).where(few).with_only_columns(Transfer.id))


@lru_cache(KEPT_LISTS)
def _visible_list(kinds: tuple[Kind, ...], wanted: tuple[str, ...], place: Place) -> WalkedList:
    visible, walked = _shown(wanted).where(covered_by(kinds)), _shown(wanted).where(covered_one_by_one(kinds))
    return walked_list(visible, select(Transfer), place, walked=walked)


def _shown(wanted: tuple[str, ...]) -> Select[tuple[Transfer]]:
    """Transfers of files that were not withdrawn; what is ``wanted`` of them are parameters of these names."""
    columns = Transfer.__table__.c
    rows = select(Transfer).where(*(columns[name] == bindparam(name, type_=columns[name].type) for name in wanted))
    return rows.join(FileRecord, FileRecord.id == Transfer.file_id).where(FileRecord.withdrawn_at.is_(None))
