"""What is asked about schedules."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.tables import Schedule, StorageLocation
from streamweave.deletion import listing, present
from streamweave.pages import Order, Page, PageRequest, page_of

_CREATION = Order(Schedule.created_at, Schedule.id)


def schedules(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Schedule]:
    """All schedules in order of creation."""
    return page_of(session, listing(Schedule, include_deleted=include_deleted), _CREATION, request)


def schedule_by_id(session: Session, schedule_id: uuid.UUID) -> Schedule:
    """The schedule, with its instrument. Raises ``NotFound``."""
    return present(session, Schedule, schedule_id, "Schedule", [joinedload(Schedule.instrument)])


def destinations(session: Session, instrument_id: uuid.UUID) -> list[StorageLocation]:
    """Where an instrument's files go: the enabled locations its enabled schedules name, each once, oldest first."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    locations = listing(StorageLocation).where(StorageLocation.id.in_(named), StorageLocation.enabled)
    return list(session.scalars(locations.order_by(StorageLocation.created_at, StorageLocation.id)))
