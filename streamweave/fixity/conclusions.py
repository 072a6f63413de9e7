"""Conclusions: a copy that was found damaged is given up as a copy. It stays where it is, as evidence."""

import uuid

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import StorageLocation, Transfer, TransferStatus
from streamweave.facility import Facility
from streamweave.fixity.guard import is_open_damage, last_release, lock_location, open_hold


def conclude(facility: Facility, location: StorageLocation) -> int:
    """Conclude what is known to be damaged in a location, unless it is held; returns how many copies it was.

    What was found before a person last released the location must have been found again since.
    """
    with facility.sessions() as session:
        affected = session.scalars(select(Transfer.instrument_id).where(is_open_damage(location.id)).distinct()).all()
    concluded = 0
    for instrument_id in affected:
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument_id)
            concluded += _conclude(session, location.id, instrument_id)
    return concluded


def _conclude(session: Session, location_id: uuid.UUID, instrument_id: uuid.UUID) -> int:
    lock_location(session, location_id)
    if open_hold(session, location_id) is not None:
        return 0
    found = is_open_damage(location_id) & (Transfer.instrument_id == instrument_id)
    if (released_at := last_release(session, location_id)) is not None:
        found &= Transfer.last_verified_at > released_at
    damaged = update(Transfer).where(found).values(status=TransferStatus.DAMAGED).returning(Transfer.id)
    return len(session.scalars(damaged).all())
