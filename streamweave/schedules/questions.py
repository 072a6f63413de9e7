"""What is asked about schedules."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.deletion import listing, present
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import Schedule, StorageLocation

_CREATION = Order(Schedule.created_at, Schedule.id)


def schedules(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Schedule]:
    """All schedules in order of creation."""
    return page_of(session, listing(Schedule, include_deleted=include_deleted), _CREATION, request)


def schedule_by_id(session: Session, schedule_id: uuid.UUID) -> Schedule:
    """The schedule, with its instrument. Raises ``NotFound``."""
    return present(session, Schedule, schedule_id, "Schedule", [joinedload(Schedule.instrument)])


def destinations(session: Session, instrument_id: uuid.UUID) -> list[StorageLocation]:
    """Where an instrument's files go: the enabled locations its enabled schedules name, each once, oldest first."""
    return [each for each in _named(session, instrument_id) if each.enabled and not each.is_deleted]


def why_no_destination(session: Session, instrument_id: uuid.UUID) -> str:
    """Why an instrument's files wait, as a sentence; for an instrument that has no ``destinations``."""
    named = [
        f"the storage location {each.name} {'was deleted' if each.is_deleted else 'is disabled'}"
        for each in _named(session, instrument_id)
    ]
    if not named:
        return "no enabled schedule names a storage location for this instrument"
    return f"{' and '.join(named)}, and no enabled schedule names another one for this instrument"


def _named(session: Session, instrument_id: uuid.UUID) -> Sequence[StorageLocation]:
    """The locations that an instrument's enabled schedules name, whether they are in use or not."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    locations = select(StorageLocation).where(StorageLocation.id.in_(named))
    return session.scalars(locations.order_by(StorageLocation.created_at, StorageLocation.id)).all()
