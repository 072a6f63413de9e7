"""Reads what holds for all files of an instrument at this moment: its last complete look, and its destinations."""

import uuid
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FixityHold, Instrument, Scan, ScanOutcome, Schedule, StorageLocation
from streamweave.certificates.evidence import Circumstances, Look, Place
from streamweave.harvest.scan_checkpoint import address_of
from streamweave.harvest.scan_record import latest_scan


def circumstances_of(session: Session, instrument: Instrument, now: datetime) -> Circumstances:
    """What holds for all files of an instrument. Ask before the files: what changes meanwhile counts against them."""
    look = latest_scan(session, instrument.id, outcome=ScanOutcome.COMPLETE)
    suspect = latest_scan(session, instrument.id, outcome=ScanOutcome.SUSPECT)
    is_doubted = suspect is not None and (look is None or suspect.started_at > look.started_at)
    return Circumstances(
        now=now,
        address=address_of(instrument),
        look=None if look is None else _look(look),
        doubted_at=suspect.started_at if suspect is not None and is_doubted else None,
        destinations=tuple(_destinations(session, instrument.id)),
    )


def _look(scan: Scan) -> Look:
    assert scan.finished_at is not None, "only finished scans are asked for"
    return Look(
        scan_id=scan.id,
        covers_since=scan.covers_since or scan.started_at,
        ended_at=scan.finished_at,
        address=scan.address,
        unlisted=scan.folders_not_listed,
        unlisted_count=scan.unreadable_folders,
    )


def _destinations(session: Session, instrument_id: uuid.UUID) -> Iterator[Place]:
    """What the enabled schedules name, locations that are out of use included: files were meant for them."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    locations = (
        select(StorageLocation, FixityHold.because)
        .outerjoin(FixityHold, is_held())
        .where(StorageLocation.id.in_(named))
        .order_by(StorageLocation.created_at, StorageLocation.id)
    )
    for location, held in session.execute(locations):
        yield place_of(location, held)


def all_places(session: Session) -> dict[uuid.UUID, Place]:
    """Every storage location, by its id."""
    locations = select(StorageLocation, FixityHold.because).outerjoin(FixityHold, is_held())
    return {location.id: place_of(location, held) for location, held in session.execute(locations)}


def all_locations(session: Session) -> dict[uuid.UUID, StorageLocation]:
    """Every storage location's row, by its id."""
    return {location.id: location for location in session.scalars(select(StorageLocation))}


def is_held() -> ColumnElement[bool]:
    """Joins a ``StorageLocation`` with the hold on it that nobody has released yet; there is one at most."""
    return (FixityHold.storage_location_id == StorageLocation.id) & FixityHold.released_at.is_(None)


def place_of(location: StorageLocation, held: str | None) -> Place:
    """A storage location, as evidence has it."""
    return Place(location.id, location.name, location.enabled and not location.is_deleted, held)
