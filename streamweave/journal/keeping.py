"""Keeping journals: each batch that a run has made durable is noted beside its files, before it is catalogued."""

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.schema import catalog_id
from streamweave.catalog.tables import Instrument, StorageLocation
from streamweave.harvest.version_state import Archived
from streamweave.journal.entries import Entry, Heading, InstrumentFacts, lines_of
from streamweave.journal.positions import Position
from streamweave.storage.base import Storage

UUID_LENGTH = 36


class JournalKeeper:
    """One run's journals: in each storage location one for each day (UTC). Not to be shared between threads.

    Nobody else writes to them: their names hold the run's id, and a word of this keeper's own.
    """

    def __init__(
        self,
        catalog_id: uuid.UUID,
        location_names: Mapping[uuid.UUID, str],
        instrument: Instrument,
        run_id: uuid.UUID,
        now: Callable[[], datetime],
    ) -> None:
        self._catalog_id = catalog_id
        self._location_names = location_names
        self._instrument = facts_of(instrument)
        self._run_id = run_id
        self._now = now
        self.begin_anew()

    def begin_anew(self) -> None:
        """Leave the journals as they are, and go on in new ones: what the catalog lacks of them is read later."""
        self._word = f"{self._run_id}-{secrets.token_hex(4)}"
        self._positions: dict[uuid.UUID, Position] = {}

    def note(self, storage: Storage, batch: Sequence[Archived]) -> None:
        """Append what was archived to the storage's journal, durably. Raises ``StorageError``."""
        if not batch:
            return
        now, location_id = self._now(), batch[0].claim.storage_location_id
        heading = Heading(
            self._catalog_id, location_id, self._location_names[location_id], self._run_id, self._instrument, now
        )
        lines = lines_of(heading, (_entry(each, self._instrument.id, now) for each in batch))
        name = f"{now:%Y-%m-%d}/{self._word}"
        last = self._positions.get(location_id)
        offset = last.catalogued_bytes if last and last.name == name else 0
        storage.journal(self._catalog_id).append(name, offset, lines)
        self._positions[location_id] = Position(location_id, name, offset + len(lines))

    @property
    def positions(self) -> list[Position]:
        """How far the journals reach that this run writes to: for whoever catalogues what they say."""
        return list(self._positions.values())


def keep_journals(
    session: Session, instrument: Instrument, run_id: uuid.UUID, now: Callable[[], datetime]
) -> JournalKeeper:
    """The journals of a run that begins."""
    names = dict(session.execute(select(StorageLocation.id, StorageLocation.name)).tuples().all())
    return JournalKeeper(catalog_id(session), names, instrument, run_id, now)


def facts_of(instrument: Instrument) -> InstrumentFacts:
    """What journals say of an instrument."""
    return InstrumentFacts(
        id=instrument.id,
        slug=instrument.slug,
        name=instrument.name,
        archive_folder=instrument.archive_folder,
        timezone=instrument.timezone,
        first_acquisition_day=instrument.first_acquisition_day,
        base_folder=f"{instrument.cifs_share}{instrument.cifs_base_path}".rstrip("/"),
    )


def _entry(archived: Archived, instrument_id: uuid.UUID, now: datetime) -> Entry:
    claim, digest = archived.claim, archived.digest
    return Entry(
        instrument_id=instrument_id,
        file_id=claim.file_id,
        persistent_id=claim.persistent_id,
        source_path=claim.source_path,
        discovered_at=claim.discovered_at,
        version_id=archived.holder,
        number=archived.number or claim.number,
        size_bytes=digest.size_bytes,
        source_mtime=archived.source_mtime or claim.mtime,
        xxhash=digest.xxhash,
        sha256=digest.sha256,
        transfer_id=claim.transfer_id,
        archived_path=archived.destination_path,
        archived_at=now,
        repairs=archived.repairs,
        is_unfinished=archived.is_unfinished or claim.is_unfinished,
    )


def run_named_by(journal: str) -> str:
    """The id of the run that keeps, or kept, the journal of this name."""
    return journal.partition("/")[2][:UUID_LENGTH]
