"""Damage: copies that re-readings found damaged, how much of it is believed, and what repaired them.

A copy that was found damaged is marked damaged: it is no copy any more, and stays where it is, as evidence. When more
is damaged at once than the threshold allows, it is rather the reading that is wrong, or the whole location. Then the
location is held: nothing is marked or repaired until a person releases it. Systems that recovered automatically
in such a case have declared all of their copies bad.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased, joinedload

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    IS_COMPLETED,
    FileRecord,
    FixityHold,
    StorageLocation,
    Transfer,
    TransferStatus,
    User,
)
from streamweave.errors import Conflict, NotFound
from streamweave.facility import Facility

ALLOWED_FILES = 5
ALLOWED_PER_THOUSAND = 1
"""The larger of both, of the copies that a sweep has re-read, may be damaged."""

_REPAIR = aliased(Transfer)
_FOUND_AT = func.coalesce(Transfer.damage_found_at, Transfer.created_at)
_LAST_FOUND_FIRST = Order(_FOUND_AT, Transfer.id, newest_first=True)


def damage_threshold(reread: int) -> int:
    """How many of so many copies may be found damaged before the location is held. Pure."""
    return max(ALLOWED_FILES, reread * ALLOWED_PER_THOUSAND // 1000)


def open_hold(session: Session, location_id: uuid.UUID) -> FixityHold | None:
    """The hold on a location that is not released yet."""
    return session.scalar(
        select(FixityHold).where(FixityHold.storage_location_id == location_id, FixityHold.released_at.is_(None))
    )


def last_release(session: Session, location_id: uuid.UUID) -> datetime | None:
    return session.scalar(select(func.max(FixityHold.released_at)).where(FixityHold.storage_location_id == location_id))


def is_open_damage(location_id: uuid.UUID) -> ColumnElement[bool]:
    """Over ``Transfer``: found damaged, and not marked damaged."""
    return and_(
        Transfer.storage_location_id == location_id,
        IS_COMPLETED,
        Transfer.damage.is_not(None),
    )


def lock_location(session: Session, location_id: uuid.UUID) -> None:
    """Let one transaction at a time write results about a location, and decide whether it is held, until it ends.

    To be taken before any transfer's row is locked, which rules out deadlocks.
    """
    session.execute(select(StorageLocation.id).where(StorageLocation.id == location_id).with_for_update(key_share=True))


def hold_if_too_much(
    session: Session, location_id: uuid.UUID, sweep_id: uuid.UUID, reread: int, now: datetime
) -> FixityHold | None:
    """The hold on the location, made now if there is more damage than is allowed among what a sweep has re-read.

    Damage that a person knew of when they last released the location does not count. The caller holds the location's
    lock, and commits, in the transaction that wrote the damage.
    """
    if (hold := open_hold(session, location_id)) is not None:
        return hold
    released_at = last_release(session, location_id)
    unknown = is_open_damage(location_id)
    if released_at is not None:
        unknown = and_(unknown, or_(Transfer.damage_found_at.is_(None), Transfer.damage_found_at > released_at))
    number = session.scalar(select(func.count()).select_from(Transfer).where(unknown)) or 0
    if number <= damage_threshold(reread):
        return None
    because = (
        f"{number} copies are damaged, missing or unreadable; this sweep has re-read {reread}. Nothing is repaired "
        "before a person has checked the location and released it"
    )
    hold = FixityHold(storage_location_id=location_id, sweep_id=sweep_id, held_at=now, because=because)
    session.add(hold)
    session.flush()
    return hold


def held_locations(session: Session, location_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    held = select(FixityHold.storage_location_id).where(
        FixityHold.storage_location_id.in_(location_ids), FixityHold.released_at.is_(None)
    )
    return set(session.scalars(held))


def mark_damaged(facility: Facility, location: StorageLocation) -> int:
    """Mark what is known to be damaged in a location, unless it is held; returns how many copies were marked.

    What was found before the last release must have been found again since.
    """
    with facility.sessions() as session:
        affected = session.scalars(select(Transfer.instrument_id).where(is_open_damage(location.id)).distinct()).all()
    marked = 0
    for instrument_id in affected:
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument_id)
            marked += _mark_damaged(session, location.id, instrument_id)
    return marked


def _mark_damaged(session: Session, location_id: uuid.UUID, instrument_id: uuid.UUID) -> int:
    lock_location(session, location_id)
    if open_hold(session, location_id) is not None:
        return 0
    found = is_open_damage(location_id) & (Transfer.instrument_id == instrument_id)
    if (released_at := last_release(session, location_id)) is not None:
        found &= Transfer.last_verified_at > released_at
    damaged = update(Transfer).where(found).values(status=TransferStatus.DAMAGED).returning(Transfer.id)
    return len(session.scalars(damaged).all())


def release(session: Session, viewer: User, hold_id: uuid.UUID, now: datetime) -> FixityHold:
    """Release a location that a person has checked: sweeps and repairs go on there. The caller commits.

    The next sweep re-reads what was found; what is still damaged then is marked, and repaired. Raises ``NotFound``, and
    ``Conflict`` when it was released already.
    """
    hold = session.get(FixityHold, hold_id)
    if hold is None:
        raise NotFound("Hold")
    lock_location(session, hold.storage_location_id)
    session.refresh(hold)
    if hold.released_at is not None:
        raise Conflict("this hold was released already")
    hold.released_at = now
    hold.released_by_id = viewer.id
    session.flush()
    session.refresh(hold)
    return hold


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
    """Over ``Transfer``: its copy was found damaged, and no other has replaced it."""
    return Transfer.damage.is_not(None) & ~is_repaired()


@dataclass(frozen=True, slots=True)
class DamagedCopy:
    """A copy as the last re-reading found it. ``destination_path`` is its full path.

    ``repaired_by`` is the transfer whose copy has replaced it. Times are UTC.
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
    file_ids = [transfer.file_id for transfer in page.rows]
    records = select(FileRecord.id, FileRecord.source_path).where(FileRecord.id.in_(file_ids))
    paths = dict(session.execute(records).tuples().all())
    repairs = _repairs(session, page.rows)
    return Page([_damaged_copy(transfer, paths, repairs) for transfer in page.rows], page.next_cursor)


def unrepaired(session: Session, instrument_id: uuid.UUID, limit: int = 100) -> list[tuple[str, str]]:
    """Source path and damage of an instrument's damaged copies that no other has replaced."""
    rows: Select[tuple[str, str | None]] = (
        select(FileRecord.source_path, Transfer.damage)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(Transfer.instrument_id == instrument_id, is_unrepaired())
        .order_by(_FOUND_AT, Transfer.id)
        .limit(limit)
    )
    return [(path, damage or "") for path, damage in session.execute(rows)]


def _damaged_copy(
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


def _repairs(session: Session, transfers: list[Transfer]) -> dict[tuple[uuid.UUID, uuid.UUID], uuid.UUID]:
    """The completed transfers of the same versions, by version and location: there is one at most."""
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.id).where(
        Transfer.version_id.in_([transfer.version_id for transfer in transfers]),
        Transfer.status == TransferStatus.COMPLETED,
    )
    return {(version, location): transfer_id for version, location, transfer_id in session.execute(rows)}
