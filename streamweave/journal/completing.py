"""Completing: copies that no journal of their location holds are noted: from before there were any, or one was lost."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import literal, or_, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH
from streamweave.catalog.schema import catalog_id
from streamweave.catalog.session import lock_journals
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
)
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.journal.entries import Entry, Heading, lines_of
from streamweave.journal.keeping import facts_of
from streamweave.journal.positions import Position, forget_lost, note_positions
from streamweave.storage.base import Storage


def complete_journal(facility: Facility, location: StorageLocation) -> None:
    """Note all copies of a location in a journal of its own, if journals do not hold them all.

    A location that can't be reached, or fails, is left for the next time.
    """
    try:
        storage = facility.open_marked(location, to_write=True)
        with facility.sessions.begin() as session:
            lock_journals(session, location.id)
            if not _has_lost_some(facility, session, location, storage) and _is_complete(session, location):
                return
            position = _note_all(facility, session, location, storage)
            note_positions(session, [position])
            session.execute(
                update(StorageLocation)
                .where(StorageLocation.id == location.id)
                .values(journal_is_complete=True, updated_at=StorageLocation.updated_at)
            )
    except StorageError:  # sweeps tell of it
        return


def _is_complete(session: Session, location: StorageLocation) -> bool:
    return session.get_one(StorageLocation, location.id).journal_is_complete


def _has_lost_some(facility: Facility, session: Session, location: StorageLocation, storage: Storage) -> bool:
    """Whether a journal on record is missing or shorter there.

    The newest are left for the next nights: a network file system may still show them shorter than they are.
    """
    before = f"{facility.now() - timedelta(days=1):%Y-%m-%d}"
    return forget_lost(session, location.id, before, storage.journal(catalog_id(session)).sizes())


def _note_all(facility: Facility, session: Session, location: StorageLocation, storage: Storage) -> Position:
    run_id, ours, now = uuid.uuid4(), catalog_id(session), facility.now()
    name, end = f"{now:%Y-%m-%d}/{run_id}", 0
    for instrument in session.scalars(select(Instrument)).unique().all():
        for entries in _entries(session, location, instrument):
            heading = Heading(ours, location.id, location.name, run_id, facts_of(instrument), now)
            lines = lines_of(heading, entries)
            storage.journal(ours).append(name, end, lines)
            end += len(lines)
    return Position(location.id, name, end)


def _entries(session: Session, location: StorageLocation, instrument: Instrument) -> Iterator[list[Entry]]:
    """The copies of an instrument's files, some at a time, oldest first.

    Without those that came with the journals of another location, which go on to say so, and were not read here yet.
    """
    rows = session.execute(
        select(
            Transfer.instrument_id,
            FileRecord.id,
            FileRecord.persistent_id,
            FileRecord.source_path,
            FileRecord.first_discovered_at,
            FileVersion.id,
            FileVersion.number,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.xxhash,
            FileVersion.sha256,
            Transfer.id,
            Transfer.destination_path,
            Transfer.completed_at,
            literal(0),
            FileVersion.unfinished.is_not(None),
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(
            Transfer.storage_location_id == location.id,
            Transfer.instrument_id == instrument.id,
            Transfer.status == TransferStatus.COMPLETED,
            or_(Transfer.dest_checksum.is_not(None), Transfer.last_verified_at.is_not(None)),
        )
        .order_by(Transfer.id)
        .execution_options(yield_per=BATCH)
    )
    for partition in rows.partitions():
        yield [Entry(*row) for row in partition]
