"""Discovery: list the share, compare folder by folder with the catalog, record what is new, changed or gone.

A listing that fails, is empty, or has shrunk far below what is known concludes nothing: a file is called gone only when
the whole share has been seen and is believed. What is new in such a listing is recorded all the same.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import Instrument, ScanOutcome
from streamweave.errors import SuspectListing
from streamweave.facility import Facility
from streamweave.harvest.comparison import compare
from streamweave.harvest.knowledge import known_files, known_folders, present_file_count, present_files_in
from streamweave.harvest.recording import Recorder
from streamweave.harvest.scans import Sighting, scan_on_record
from streamweave.sources.base import FolderListing

FILES_PER_TRANSACTION = 2_000
FOLDERS_PER_TRANSACTION = 200
FEW_FILES = 10
"""Below this many known files a share may shrink (but not to nothing) without an alarm."""


def discover(
    facility: Facility,
    instrument: Instrument,
    *,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
) -> Sighting:
    """Look at the instrument's share once and record what is new, changed or gone.

    With a budget, a look that takes longer ends early, as ``partial``, with all that it saw on record. Raises a
    ``SourceError`` when the share can't be looked at; that too is on record.
    """
    deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
    with scan_on_record(facility, instrument.id, dagster_run_id) as sighting:
        look = _Look(facility, instrument, sighting)
        with closing(facility.open_source(instrument)) as source:
            for batch in _batches(source.listings()):
                look.take(batch)
                if deadline is not None and time.monotonic() > deadline:
                    sighting.outcome = ScanOutcome.PARTIAL
                    return sighting
        look.conclude()
    return sighting


@dataclass
class _Look:
    """One look at one share: what has been seen, what was missing, what could not be seen."""

    facility: Facility
    instrument: Instrument
    sighting: Sighting
    seen_folders: set[str] = field(default_factory=set)
    blind_folders: set[str] = field(default_factory=set)
    missing: list[uuid.UUID] = field(default_factory=list)

    def take(self, listings: list[FolderListing]) -> None:
        """Compare some folders with the catalog and record the differences, in one transaction."""
        self.blind_folders |= {listing.folder for listing in listings if listing.problem}
        seen = [listing for listing in listings if not listing.problem]
        self.seen_folders |= {listing.folder for listing in seen}
        files = [file for listing in seen for file in listing.files]
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            differences = compare(files, known_files(session, self.instrument.id, [each.folder for each in seen]))
            Recorder(session, self.instrument, self.facility.mint_identifier, self.facility.now()).record(differences)
        self.missing += [known.file_id for known in differences.missing]
        self.sighting.folders += len(seen)
        self.sighting.unreadable_folders = len(self.blind_folders)
        self.sighting.files += len(files)
        self.sighting.bytes += sum(file.size_bytes for file in files)
        self.sighting.new_files += len(differences.new)
        self.sighting.changed_files += len(differences.changed)

    def conclude(self) -> None:
        """The whole share has been seen: call the missing files gone, unless the listing is not to be believed."""
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            doubt = _doubt(self.instrument, self.sighting, present_file_count(session, self.instrument.id))
            if doubt:
                self.sighting.outcome = ScanOutcome.SUSPECT
                self.sighting.error_kind, self.sighting.error_message = SuspectListing.kind(), doubt
                return
            vanished = known_folders(session, self.instrument.id) - self.seen_folders
            vanished = {folder for folder in vanished if not self._is_hidden(folder)}
            gone = [*self.missing, *present_files_in(session, self.instrument.id, vanished)]
            recorder = Recorder(session, self.instrument, self.facility.mint_identifier, self.facility.now())
            recorder.conclude_gone(gone)
            self.sighting.gone_files = len(gone)

    def _is_hidden(self, folder: str) -> bool:
        """Whether it is, or lies below, a folder that could not be listed."""
        return any(folder == blind or folder.startswith(f"{blind}/") for blind in self.blind_folders)


def _doubt(instrument: Instrument, sighting: Sighting, known: int) -> str | None:
    """Why a complete listing is not to be believed, or None. ``known`` counts the new files too."""
    if instrument.shrink_threshold == 0 or sighting.unreadable_folders:
        return None
    if sighting.files == 0 and known > 0:
        return f"the share is empty, but {known} files are known on it: nothing was concluded from this"
    if known >= FEW_FILES and sighting.files < known * instrument.shrink_threshold:
        return f"only {sighting.files} of {known} known files stand on the share: nothing was concluded from this"
    return None


def _batches(listings: Iterator[FolderListing]) -> Iterator[list[FolderListing]]:
    batch: list[FolderListing] = []
    files = 0
    for listing in listings:
        batch.append(listing)
        files += len(listing.files)
        if files >= FILES_PER_TRANSACTION or len(batch) >= FOLDERS_PER_TRANSACTION:
            yield batch
            batch, files = [], 0
    if batch:
        yield batch
