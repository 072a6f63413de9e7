"""What is asked about schedules."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.tables import Schedule, StorageLocation
from streamweave.errors import NotFound
from streamweave.pages import Order, Page, PageRequest, page_of

_CREATION = Order(Schedule.created_at, Schedule.id)


def schedules(session: Session, request: PageRequest) -> Page[Schedule]:
    """All schedules in order of creation."""
    return page_of(session, select(Schedule), _CREATION, request)


def schedule_by_id(session: Session, schedule_id: uuid.UUID) -> Schedule:
    """The schedule, with its instrument. Raises ``NotFound``."""
    schedule = session.get(Schedule, schedule_id, options=[joinedload(Schedule.instrument)])
    if schedule is None:
        raise NotFound("Schedule")
    return schedule


def destinations(session: Session, instrument_id: uuid.UUID) -> list[StorageLocation]:
    """Where an instrument's files go: the enabled locations its enabled schedules name, each once, oldest first."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled
    )
    locations = select(StorageLocation).where(StorageLocation.id.in_(named), StorageLocation.enabled)
    return list(session.scalars(locations.order_by(StorageLocation.created_at, StorageLocation.id)))
