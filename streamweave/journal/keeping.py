"""Keeping journals: each batch that a run has made durable is noted next to its files, before it is catalogued.

How far each journal is in the catalog (its *position*) is written in the transaction that catalogues a batch. So a
catalog that was restored from an older dump finds what has been archived since, by comparing positions with journals.
"""

import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, is_one_of
from streamweave.catalog.schema import catalog_id
from streamweave.catalog.session import lock_journals
from streamweave.catalog.tables import (
    IS_COMPLETED,
    FileRecord,
    FileVersion,
    Instrument,
    JournalPosition,
    StorageLocation,
    Transfer,
)
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.journal.entries import Entry, Heading, InstrumentFacts, lines_of
from streamweave.storage.base import Reached, Storage

UUID_LENGTH = 36


class Position(NamedTuple):
    """Of one journal: so many bytes of it are in the catalog."""

    storage_location_id: uuid.UUID
    name: str
    catalogued_bytes: int


class JournalKeeper:
    """One run's journals: in each storage location one for each day (UTC). Not to be shared between threads.

    No other process writes to them: their names hold the run's id, and a random suffix.
    """

    def __init__(
        self, catalog_id: uuid.UUID, location_names: Mapping[uuid.UUID, str], instrument: Instrument, run_id: uuid.UUID
    ) -> None:
        self._catalog_id = catalog_id
        self._location_names = location_names
        self._instrument = facts_of(instrument)
        self._run_id = run_id
        self.begin_anew()

    def begin_anew(self) -> None:
        """Leave the journals as they are, and continue in new ones: what the catalog lacks of them is read later."""
        self._name = f"{self._run_id}-{secrets.token_hex(4)}"
        self._positions: dict[uuid.UUID, Position] = {}

    def note(self, storage: Storage, location_id: uuid.UUID, entries: Sequence[Entry]) -> None:
        """Append what was archived to the storage's journal, durably. Raises ``StorageError``."""
        if not entries:
            return
        now = entries[0].archived_at
        heading = Heading(
            self._catalog_id, location_id, self._location_names[location_id], self._run_id, self._instrument, now
        )
        lines = lines_of(heading, entries)
        name = f"{now:%Y-%m-%d}/{self._name}"
        last = self._positions.get(location_id)
        offset = last.catalogued_bytes if last and last.name == name else 0
        storage.journal(self._catalog_id).append(name, offset, lines)
        self._positions[location_id] = Position(location_id, name, offset + len(lines))

    @property
    def instrument_id(self) -> uuid.UUID:
        return self._instrument.id

    @property
    def positions(self) -> list[Position]:
        """How far the journals reach that this run writes to: to be recorded with what they say."""
        return list(self._positions.values())


def keep_journals(session: Session, instrument: Instrument, run_id: uuid.UUID) -> JournalKeeper:
    names = dict(session.execute(select(StorageLocation.id, StorageLocation.name)).tuples().all())
    return JournalKeeper(catalog_id(session), names, instrument, run_id)


def facts_of(instrument: Instrument) -> InstrumentFacts:
    return InstrumentFacts(
        id=instrument.id,
        slug=instrument.slug,
        name=instrument.name,
        archive_folder=instrument.archive_folder,
        timezone=instrument.timezone,
        first_acquisition_day=instrument.first_acquisition_day,
        base_folder=f"{instrument.cifs_share}{instrument.cifs_base_path}".rstrip("/"),
    )


def run_named_by(journal: str) -> str:
    """The id of the run that keeps, or kept, the journal of this name."""
    return journal.partition("/")[2][:UUID_LENGTH]


def note_positions(session: Session, positions: Iterable[Position]) -> None:
    """Record positions; the caller commits. None ever becomes smaller."""
    rows = [position._asdict() for position in positions]
    if not rows:
        return
    statement = insert(JournalPosition).values(rows)
    further = func.greatest(JournalPosition.catalogued_bytes, statement.excluded.catalogued_bytes)
    keys = [JournalPosition.storage_location_id, JournalPosition.name]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"catalogued_bytes": further}))


def is_catalogued(session: Session, storage_location_id: uuid.UUID, reached: Reached) -> bool:
    position = session.get(JournalPosition, (storage_location_id, reached.name))
    return position is not None and position.catalogued_bytes >= reached.size


def positions_of(session: Session, storage_location_id: uuid.UUID, since: str = "") -> Mapping[str, int]:
    """How far each journal of a location is in the catalog, of those whose names are not less than ``since``."""
    rows = session.execute(
        select(JournalPosition.name, JournalPosition.catalogued_bytes).where(
            JournalPosition.storage_location_id == storage_location_id, JournalPosition.name >= since
        )
    )
    return dict(rows.tuples().all())


def newest_name(session: Session, storage_location_id: uuid.UUID) -> str | None:
    """The name of the newest journal that the catalog knows of."""
    newest = select(func.max(JournalPosition.name)).where(JournalPosition.storage_location_id == storage_location_id)
    return session.scalar(newest)


def complete_journal(facility: Facility, location: StorageLocation) -> None:
    """Note all copies of a location in a new journal, if its journals do not hold them all.

    They may be older than the first journal, or a journal was lost. A location that fails is left for the next time.
    """
    try:
        storage = facility.open_marked(location, to_write=True)
        with facility.sessions.begin() as session:
            lock_journals(session, location.id)
            is_complete = session.get_one(StorageLocation, location.id).journal_is_complete
            if not _has_lost_some(facility, session, location, storage) and is_complete:
                return
            note_positions(session, [_note_all(facility, session, location, storage)])
            session.execute(
                update(StorageLocation)
                .where(StorageLocation.id == location.id)
                .values(journal_is_complete=True, updated_at=StorageLocation.updated_at)
            )
    except StorageError:  # sweeps report it
        return


def _has_lost_some(facility: Facility, session: Session, location: StorageLocation, storage: Storage) -> bool:
    """Whether a journal on record is missing or shorter there.

    The newest are checked in a later night: a network file system may still show them shorter than they are.
    """
    before = f"{facility.now() - timedelta(days=1):%Y-%m-%d}"
    return forget_lost(session, location.id, before, storage.journal(catalog_id(session)).sizes())


def forget_lost(session: Session, storage_location_id: uuid.UUID, before: str, sizes: Mapping[str, int]) -> bool:
    """Correct the positions of journals that no longer hold as much; returns whether any lines were lost.

    Only of journals with names less than ``before``. ``sizes`` are the lengths of those that exist. The caller commits.
    """
    known = positions_of(session, storage_location_id).items()
    lost = [name for name, reached in known if name < before and sizes.get(name, 0) < reached]
    which = (JournalPosition.storage_location_id == storage_location_id) & is_one_of(JournalPosition.name, lost)
    session.execute(delete(JournalPosition).where(which))
    note_positions(session, [Position(storage_location_id, name, sizes[name]) for name in lost if name in sizes])
    return bool(lost)


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

    Without those that came with the journals of another location, and were not read here yet.
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
            IS_COMPLETED,
            or_(Transfer.dest_checksum.is_not(None), Transfer.last_verified_at.is_not(None)),
        )
        .order_by(Transfer.id)
        .execution_options(yield_per=BATCH)
    )
    for partition in rows.partitions():
        yield [Entry(*row) for row in partition]
