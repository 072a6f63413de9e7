"""Damage: the copies that re-readings found damaged, and those that repaired them."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import FileRecord, Transfer, TransferStatus

_REPAIR = aliased(Transfer)
_FOUND_AT = func.coalesce(Transfer.damage_found_at, Transfer.created_at)
_LAST_FOUND_FIRST = Order(_FOUND_AT, Transfer.id, newest_first=True)


def is_repaired() -> ColumnElement[bool]:
    """Over ``Transfer``: its version has another copy in the same location."""
    return (
        select(_REPAIR.id)
        .where(
            _REPAIR.version_id == Transfer.version_id,
            _REPAIR.storage_location_id == Transfer.storage_location_id,
            _REPAIR.status == TransferStatus.COMPLETED,
            _REPAIR.id != Transfer.id,
        )
        .exists()
    )


def is_unrepaired() -> ColumnElement[bool]:
    """Over ``Transfer``: its copy was found damaged, and no other has taken its place."""
    return Transfer.damage.is_not(None) & ~is_repaired()


@dataclass(frozen=True, slots=True)
class DamagedCopy:
    """A copy as it was found at the last re-reading. ``destination_path`` is its full path.

    ``repaired_by`` is the transfer whose copy has taken its place. Times are UTC.
    """

    transfer_id: uuid.UUID
    file_id: uuid.UUID
    version_id: uuid.UUID
    instrument_id: uuid.UUID
    storage_location_id: uuid.UUID
    source_path: str
    destination_path: str
    status: str
    damage: str
    damage_found_at: datetime | None
    last_verified_at: datetime | None
    repaired_by: uuid.UUID | None


def damaged_copies(
    session: Session, request: PageRequest, *, repaired: bool | None = None, instrument_id: uuid.UUID | None = None
) -> Page[DamagedCopy]:
    """The damaged copies, the last found first; those that are repaired, or are not, or both."""
    query = select(Transfer).where(Transfer.damage.is_not(None)).options(joinedload(Transfer.storage_location))
    if repaired is not None:
        query = query.where(is_repaired() if repaired else ~is_repaired())
    if instrument_id is not None:
        query = query.where(Transfer.instrument_id == instrument_id)
    page = page_of(session, query, _LAST_FOUND_FIRST, request)
    paths = _source_paths(session, page.rows)
    repairs = _repairs(session, page.rows)
    return Page([_told(transfer, paths, repairs) for transfer in page.rows], page.next_cursor)


def unrepaired(session: Session, instrument_id: uuid.UUID, limit: int = 100) -> list[tuple[str, str]]:
    """Source path and finding of an instrument's damaged copies that no other has taken the place of."""
    rows: Select[tuple[str, str | None]] = (
        select(FileRecord.source_path, Transfer.damage)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(Transfer.instrument_id == instrument_id, is_unrepaired())
        .order_by(_FOUND_AT, Transfer.id)
        .limit(limit)
    )
    return [(path, damage or "") for path, damage in session.execute(rows)]


def _told(
    transfer: Transfer, paths: dict[uuid.UUID, str], repairs: dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]
) -> DamagedCopy:
    base_path, place = transfer.storage_location.base_path, (transfer.version_id, transfer.storage_location_id)
    repair = repairs.get(place)
    return DamagedCopy(
        transfer_id=transfer.id,
        file_id=transfer.file_id,
        version_id=transfer.version_id,
        instrument_id=transfer.instrument_id,
        storage_location_id=transfer.storage_location_id,
        source_path=paths[transfer.file_id],
        destination_path=f"{base_path}/{transfer.destination_path}",
        status=transfer.status,
        damage=transfer.damage or "",
        damage_found_at=transfer.damage_found_at,
        last_verified_at=transfer.last_verified_at,
        repaired_by=None if repair == transfer.id else repair,
    )


def _source_paths(session: Session, transfers: list[Transfer]) -> dict[uuid.UUID, str]:
    rows = select(FileRecord.id, FileRecord.source_path).where(
        FileRecord.id.in_([transfer.file_id for transfer in transfers])
    )
    return dict(session.execute(rows).tuples().all())


def _repairs(session: Session, transfers: list[Transfer]) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
    """The completed transfers of the same versions, by version and location: there is one at most."""
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.id).where(
        Transfer.version_id.in_([transfer.version_id for transfer in transfers]),
        Transfer.status == TransferStatus.COMPLETED,
    )
    return {(version, location): transfer_id for version, location, transfer_id in session.execute(rows)}
