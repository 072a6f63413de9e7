"""Readoption: what the journals hold and the catalog does not know is read into the catalog.

That happens when the catalog was restored from an older backup, or when a run crashed between journal and catalog.
Before each scan one small read for each location compares the head of its journals with their positions on record, so
that no file is recorded anew that has an identifier already. A head names one journal only, and two runs may write to
one location. So before a harvest or a repair writes to it, all journals of the last days are compared with the
positions; and all of them while the head shows that the catalog is older, and by ``verify``: journals are dated by the
clocks of their writers, which may have been wrong.

Reading the same again changes nothing: a readoption that crashed is simply done again. Runs that are alive and between
journal and catalogue are left alone: they will catalogue what they have noted.

What journals and catalog say differently of a storage location is a conflict, and needs attention.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import func, or_, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH
from streamweave.catalog.deletion import listing
from streamweave.catalog.leases import is_dead
from streamweave.catalog.schema import catalog_id
from streamweave.catalog.session import lock_instrument, lock_journals
from streamweave.catalog.tables import HarvestRun, Instrument, StorageLocation
from streamweave.catalog.tables import Readoption as ReadoptionRow
from streamweave.errors import StorageError, StorageRefused
from streamweave.facility import Facility
from streamweave.instruments.fields import NO_ADDRESS
from streamweave.journal.entries import Entry, InstrumentFacts, Reader
from streamweave.journal.keeping import Position, is_catalogued, newest_name, note_positions, positions_of, run_named_by
from streamweave.journal.merging import KnownFiles, Written
from streamweave.printable import counted
from streamweave.storage.base import Journal, Reached, Storage
from streamweave.storage.marking import answered

NAMED_CONFLICTS = 1_000
"""More are counted, and not named."""
SHOWN_FOR = timedelta(days=14)
"""After they were found. They stay on record."""

logger = logging.getLogger(__name__)
Listener = Callable[["Readoption"], None]


@dataclass(slots=True)
class Readoption:
    """What was read so far: ``entries`` in all, the other numbers are what the catalog did not know.

    ``instruments`` are the slugs of those that had to be created; they are disabled, and have no address.
    """

    location: str
    entries: int = 0
    files: int = 0
    versions: int = 0
    copies: int = 0
    illegible: int = 0
    instruments: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def add(self, written: Written) -> None:
        self.files += written.files
        self.versions += written.versions
        self.copies += written.copies
        self.conflicts += written.conflicts

    def sentence(self) -> str:
        rows = f"{counted(self.files, 'file')}, {counted(self.versions, 'version')}"
        copies = counted(self.copies, "copy", "copies")
        sentence = f"{self.location}: its journals held what the catalog did not: {rows} and {copies}"
        if self.illegible:
            sentence += f"; {counted(self.illegible, 'line')} could not be read"
        if self.conflicts:
            sentence += f"; {counted(len(self.conflicts), 'conflict')}, the first: {self.conflicts[0]}"
        return sentence


def readopt_everywhere(facility: Facility) -> list[Readoption]:
    """Read the journals of all storage locations. One that does not answer, or fails, stops no other one.

    It is tried again by the next scan, and before anything is written to it.
    """
    with facility.sessions() as session:
        locations = session.scalars(listing(StorageLocation)).all()
    found = []
    for location in locations:
        try:
            if storage := answered(f"journals of {location.id}", partial(_open_if_ahead, facility, location)):
                found.append(readopt(facility, location, storage))
        except (StorageError, TimeoutError):  # harvests and sweeps report it
            continue
    return [each for each in found if each is not None]


def _open_if_ahead(facility: Facility, location: StorageLocation) -> Storage | None:
    storage = facility.open_marked(location)
    return storage if _is_ahead(facility, location.id, storage) else None


def readopt(
    facility: Facility,
    location: StorageLocation,
    storage: Storage,
    on_progress: Listener = lambda readoption: None,
    *,
    of_all_days: bool = False,
) -> Readoption | None:
    """Read what the journals of one location hold and the catalog does not know; None when it knows all.

    Journals older than those of the last days are compared with ``of_all_days`` only, or while the head shows that the
    catalog is older. A second process waits until it is done. Raises ``StorageError``.
    """
    reading = _Reading(facility, location, storage, on_progress, of_all_days=of_all_days)
    if not reading.unread():
        return None
    try:
        with facility.sessions.begin() as waiting:
            lock_journals(waiting, location.id)
            readoption = reading.run()
    except (IntegrityError, DataError, ValueError) as error:  # so only this location is affected
        logger.exception("%s: its journals could not be read into the catalog", location.name)
        raise StorageRefused(f"{location.name}: its journals could not be read into the catalog: {error}") from error
    if not (readoption.copies or readoption.conflicts or readoption.illegible):
        return None
    logger.warning(readoption.sentence())
    _record(facility, location.id, readoption)
    return readoption


def _record(facility: Facility, location_id: uuid.UUID, readoption: Readoption) -> None:
    with facility.sessions.begin() as session:
        session.add(
            ReadoptionRow(
                storage_location_id=location_id,
                read_at=facility.now(),
                files=readoption.files,
                versions=readoption.versions,
                copies=readoption.copies,
                illegible=readoption.illegible,
                conflicts=readoption.conflicts[:NAMED_CONFLICTS],
            )
        )


class _Reading:
    def __init__(
        self,
        facility: Facility,
        location: StorageLocation,
        storage: Storage,
        on_progress: Listener,
        *,
        of_all_days: bool,
    ) -> None:
        self._facility = facility
        self._location_id = location.id
        self._of_all_days = of_all_days
        with facility.sessions() as session:
            self._journal: Journal = storage.journal(catalog_id(session))
        self._reader = Reader()
        self._readoption = Readoption(location.name)
        self._on_progress = on_progress
        self._batch: list[Entry] = []
        self._read: list[Position] = []

    def run(self) -> Readoption:
        """Read, in the order of names; the head's journal comes last, since it shows whether all is known."""
        for name, start, end in self.unread():
            for entry in self._reader.entries(self._journal.read(name, start)):
                self._batch.append(entry)
                if len(self._batch) == BATCH:
                    self._write()
            self._read.append(Position(self._location_id, name, end))
        self._write()
        self._readoption.illegible = self._reader.illegible
        return self._readoption

    def unread(self) -> Sequence[tuple[str, int, int]]:
        """The journals that hold more than is catalogued, except those of live runs: name, start and end."""
        head = self._journal.head()
        with self._facility.sessions() as session:
            since, live = self._since(session, head), _live_runs(session)
            known = positions_of(session, self._location_id, since)
        unread = [
            (name, known.get(name, 0), size)
            for name, size in self._journal.sizes(since).items()
            if size > known.get(name, 0) and run_named_by(name) not in live
        ]
        return sorted(unread, key=lambda each: head is not None and each[0] == head.name)

    def _since(self, session: Session, head: Reached | None) -> str:
        """The first name to compare; an empty one means all.

        A run writes into the journal of the day, so what a crashed run left is in those of the last days: by the clock
        of the newest journal that is known, and by that of the last that was written to. No clock is trusted while the
        catalog is older than the archive.
        """
        if self._of_all_days or head is None or _is_unknown(session, self._location_id, head):
            return ""
        return min(_day_before(newest_name(session, self._location_id) or ""), _day_before(head.name))

    def _write(self) -> None:
        """Write what has been read so far: an instrument at a time, and then the positions."""
        of_instruments: dict[uuid.UUID, list[Entry]] = defaultdict(list)
        for entry in self._batch:
            of_instruments[entry.instrument_id].append(entry)
        for instrument_id, entries in of_instruments.items():
            self._write_instrument(instrument_id, entries)
        with self._facility.sessions.begin() as session:
            note_positions(session, self._read)
        self._readoption.entries += len(self._batch)
        self._batch, self._read = [], []
        self._on_progress(self._readoption)

    def _write_instrument(self, instrument_id: uuid.UUID, entries: Sequence[Entry]) -> None:
        with self._facility.sessions.begin() as session:
            instrument = self._instrument(session, instrument_id, entries[0])
            if instrument is None:
                self._readoption.conflicts += [f"{each.source_path}: its instrument is not known" for each in entries]
                return
            lock_instrument(session, instrument.id)
            files = KnownFiles(session, instrument, self._location_id, entries)
            files.take_all(self._facility.now())
            self._readoption.add(files.write())

    def _instrument(self, session: Session, instrument_id: uuid.UUID, entry: Entry) -> Instrument | None:
        """The instrument of that id, or of the same slug, or a new one as the journal describes it."""
        known = session.get(Instrument, instrument_id)
        heading = self._reader.headings.get(instrument_id)
        if known is not None or heading is None:
            return known
        facts = heading.instrument
        same = or_(Instrument.slug == facts.slug, Instrument.archive_folder == facts.archive_folder)
        known = session.scalars(select(Instrument).where(same).order_by(Instrument.slug != facts.slug)).first()
        if known is None:
            known = _instrument_of(session, facts, facts.base_folder or entry.source_path.partition("/")[0])
            session.add(known)
            session.flush()
            self._readoption.instruments.append(facts.slug)
        return known


def _day_before(name: str) -> str:
    """The day before that of a journal; its name may hold a day that no calendar has."""
    try:
        return f"{date.fromisoformat(name.partition('/')[0]) - timedelta(days=1)}"
    except (ValueError, OverflowError):
        return ""


def _instrument_of(session: Session, facts: InstrumentFacts, base_folder: str) -> Instrument:
    """A new instrument as a journal describes it; under another name where an instrument has that name already."""
    share, _, base_path = base_folder.partition("/")
    names = (facts.name, f"{facts.name} ({facts.slug})", f"{facts.name} ({facts.id})")
    return Instrument(
        id=facts.id,
        slug=facts.slug,
        name=next(name for name in names if not _is_taken(session, name)),
        archive_folder=facts.archive_folder,
        timezone=facts.timezone,
        first_acquisition_day=facts.first_acquisition_day,
        cifs_host=NO_ADDRESS,
        cifs_share=share,
        cifs_base_path=f"/{base_path}",
        enabled=False,
    )


def _is_taken(session: Session, name: str) -> bool:
    same = listing(Instrument).where(func.lower(Instrument.name) == func.lower(name))
    return session.scalars(same).first() is not None


def _is_ahead(facility: Facility, location_id: uuid.UUID, storage: Storage) -> bool:
    """Whether the journal that was last written to holds more than the catalog."""
    with facility.sessions() as session:
        head = storage.journal(catalog_id(session)).head()
        return head is not None and _is_unknown(session, location_id, head)


def _is_unknown(session: Session, location_id: uuid.UUID, head: Reached) -> bool:
    """Whether it holds more than is catalogued, apart from what a run that is alive is about to catalogue."""
    return not is_catalogued(session, location_id, head) and run_named_by(head.name) not in _live_runs(session)


def _live_runs(session: Session) -> set[str]:
    return {str(run_id) for run_id in session.scalars(select(HarvestRun.id).where(~is_dead()))}


@dataclass(slots=True)
class Conflicts:
    """The conflicts of one location. ``found_at`` is when the last were found; ``illegible`` lines may hold more."""

    found_at: datetime
    named: list[str] = field(default_factory=list)
    illegible: int = 0

    def sentence(self) -> str:
        parts = [f"conflicts with the catalog ({len(self.named)}), the first: {self.named[0]}"] if self.named else []
        parts += [f"lines that could not be read ({self.illegible})"] if self.illegible else []
        return f"its journals, read on {self.found_at:%Y-%m-%d %H:%M} UTC, hold {' and '.join(parts)}"


def recent_conflicts(session: Session, now: datetime) -> Mapping[uuid.UUID, Conflicts]:
    """The conflicts of each storage location that has any."""
    rows = session.scalars(
        select(ReadoptionRow)
        .where(
            ReadoptionRow.read_at > now - SHOWN_FOR,
            or_(ReadoptionRow.illegible > 0, func.cardinality(ReadoptionRow.conflicts) > 0),
        )
        .order_by(ReadoptionRow.read_at, ReadoptionRow.id)
    )
    found: dict[uuid.UUID, Conflicts] = {}
    for row in rows:
        conflicts = found.setdefault(row.storage_location_id, Conflicts(row.read_at))
        conflicts.found_at = row.read_at
        conflicts.named += row.conflicts
        conflicts.illegible += row.illegible
    return found
