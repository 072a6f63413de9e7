"""What is asked about instruments and their scans."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import listing, present
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import Instrument, Scan

_CREATION = Order(Instrument.created_at, Instrument.id)
_NEWEST_SCAN = Order(Scan.started_at, Scan.id, newest_first=True)


def instrument_by_id(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Raises ``NotFound``."""
    return present(session, Instrument, instrument_id, "Instrument")


def instrument_by_slug(session: Session, slug: str) -> Instrument | None:
    """The instrument that Dagster and the archive know as ``slug``."""
    return session.scalar(listing(Instrument).where(Instrument.slug == slug))


def instruments(session: Session, request: PageRequest, *, include_deleted: bool = False) -> Page[Instrument]:
    """All instruments in order of creation."""
    return page_of(session, listing(Instrument, include_deleted=include_deleted), _CREATION, request)


def scans_of(session: Session, instrument_id: uuid.UUID, request: PageRequest) -> Page[Scan]:
    """The looks at an instrument's share, newest first. Raises ``NotFound`` for an unknown instrument."""
    instrument_by_id(session, instrument_id)
    return page_of(session, select(Scan).where(Scan.instrument_id == instrument_id), _NEWEST_SCAN, request)
