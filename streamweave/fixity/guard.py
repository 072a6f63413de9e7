"""The rate guard: when much is damaged at once, it is rather the looking that is wrong, or the whole location.

Then nothing is concluded and nothing repaired, until a person has looked at it: peers whose automatic recovery went on
have declared all of their copies bad.
"""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FixityHold, StorageLocation, Transfer, TransferStatus

ALLOWED_FILES = 5
ALLOWED_PER_THOUSAND = 1
"""Whichever is more, of the copies that a sweep has re-read, may be damaged."""


def allowed(reread: int) -> int:
    """How many copies may be found damaged among so many before a person is needed. Pure."""
    return max(ALLOWED_FILES, reread * ALLOWED_PER_THOUSAND // 1000)


def open_hold(session: Session, location_id: uuid.UUID) -> FixityHold | None:
    """The hold on a location that nobody has released yet."""
    return session.scalar(
        select(FixityHold).where(FixityHold.storage_location_id == location_id, FixityHold.released_at.is_(None))
    )


def last_release(session: Session, location_id: uuid.UUID) -> datetime | None:
    """When a person last released the location."""
    return session.scalar(select(func.max(FixityHold.released_at)).where(FixityHold.storage_location_id == location_id))


def is_open_damage(location_id: uuid.UUID) -> ColumnElement[bool]:
    """Over ``Transfer``: found damaged, and not concluded to be so."""
    return and_(
        Transfer.storage_location_id == location_id,
        Transfer.status == TransferStatus.COMPLETED,
        Transfer.damage.is_not(None),
    )


def lock_location(session: Session, location_id: uuid.UUID) -> None:
    """Let one transaction at a time write findings about a location, and decide whether it is held, until it ends.

    To be taken before any transfer's row is locked: so two that do both never wait for each other.
    """
    session.execute(select(StorageLocation.id).where(StorageLocation.id == location_id).with_for_update(key_share=True))


def hold_if_too_much(
    session: Session, location_id: uuid.UUID, sweep_id: uuid.UUID, reread: int, now: datetime
) -> FixityHold | None:
    """The hold on the location, made now if there is more damage than is allowed among what a sweep has re-read.

    Damage that a person knew of when they last released the location does not count. The caller holds the location's
    lock, and commits, in the transaction that wrote the damage.
    """
    hold = open_hold(session, location_id)
    if hold is not None:
        return hold
    released_at = last_release(session, location_id)
    unknown = is_open_damage(location_id)
    if released_at is not None:
        unknown = and_(unknown, or_(Transfer.damage_found_at.is_(None), Transfer.damage_found_at > released_at))
    number = session.scalar(select(func.count()).select_from(Transfer).where(unknown)) or 0
    if number <= allowed(reread):
        return None
    because = (
        f"{number} copies are damaged, missing or unreadable; this sweep has re-read {reread}. Nothing is repaired "
        "before a person has looked at the location and released it"
    )
    hold = FixityHold(storage_location_id=location_id, sweep_id=sweep_id, held_at=now, because=because)
    session.add(hold)
    session.flush()
    return hold


def held_locations(session: Session, location_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the locations that are held."""
    held = select(FixityHold.storage_location_id).where(
        FixityHold.storage_location_id.in_(location_ids), FixityHold.released_at.is_(None)
    )
    return set(session.scalars(held))
