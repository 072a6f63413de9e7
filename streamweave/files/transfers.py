"""What is asked about transfers: only those of files that the viewer may see."""

import uuid

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from streamweave.access.visibility import visible_files
from streamweave.catalog.tables import FileRecord, Transfer, TransferStatus, User
from streamweave.errors import NotFound
from streamweave.pages import Order, Page, PageRequest, page_of

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
    query = _visible_transfers(viewer)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return page_of(session, query, _NEWEST, request)


def transfer_by_id(session: Session, viewer: User, transfer_id: uuid.UUID) -> Transfer:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    transfer = session.scalar(_visible_transfers(viewer).where(Transfer.id == transfer_id))
    if transfer is None:
        raise NotFound("Transfer")
    return transfer


def _visible_transfers(viewer: User) -> Select[tuple[Transfer]]:
    return (
        select(Transfer)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .options(joinedload(Transfer.storage_location), joinedload(Transfer.run))
        .where(visible_files(viewer))
    )
