"""Discovery: list the share, compare folder by folder with the catalog, record what is new, changed or gone.

A listing that fails, is empty, or has shrunk far below what is known concludes nothing: a file is called gone only when
the whole share has been seen and is believed. What is new in such a listing is recorded all the same.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import Instrument, ScanOutcome
from streamweave.errors import SuspectListing
from streamweave.facility import Facility
from streamweave.harvest.comparison import compare
from streamweave.harvest.knowledge import known_files, present_files_by_folder, present_files_in
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
        look = _Look(facility, instrument, sighting, facility.now())
        with closing(facility.open_source(instrument)) as source:
            for batch in _batches(source.listings(), deadline):
                look.take(batch)
                if _is_over(deadline):
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
    started_at: datetime
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
        """The whole share has been seen: call the missing files gone, unless the listing is not to be believed.

        Files that another look recorded while this one was under way are not its business.
        """
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            expected = {
                folder: number
                for folder, number in present_files_by_folder(session, self.instrument.id, self.started_at).items()
                if not self._is_hidden(folder)
            }
            doubt = _doubt(self.instrument, self.sighting.files, sum(expected.values()))
            if doubt:
                self.sighting.outcome = ScanOutcome.SUSPECT
                self.sighting.error_kind, self.sighting.error_message = SuspectListing.kind(), doubt
                return
            vanished = expected.keys() - self.seen_folders
            missing = [*self.missing, *present_files_in(session, self.instrument.id, vanished)]
            recorder = Recorder(session, self.instrument, self.facility.mint_identifier, self.facility.now())
            self.sighting.gone_files = recorder.conclude_gone(missing, known_before=self.started_at)

    def _is_hidden(self, folder: str) -> bool:
        """Whether it is, or lies below, a folder that could not be listed."""
        return any(folder == blind or folder.startswith(f"{blind}/") for blind in self.blind_folders)


def _doubt(instrument: Instrument, seen: int, expected: int) -> str | None:
    """Why a complete listing of ``seen`` files, where ``expected`` were known, is not to be believed; or None."""
    if instrument.shrink_threshold == 0:
        return None
    if seen == 0 and expected > 0:
        return f"the share is empty, but {expected} files are known on it: nothing was concluded from this"
    if expected >= FEW_FILES and seen < expected * instrument.shrink_threshold:
        return f"only {seen} of {expected} known files stand on the share: nothing was concluded from this"
    return None


def _batches(listings: Iterator[FolderListing], deadline: float | None) -> Iterator[list[FolderListing]]:
    """The listings in batches; after the deadline one last, smaller one."""
    batch: list[FolderListing] = []
    files = 0
    for listing in listings:
        batch.append(listing)
        files += len(listing.files)
        is_full = files >= FILES_PER_TRANSACTION or len(batch) >= FOLDERS_PER_TRANSACTION
        if is_full or _is_over(deadline):
            yield batch
            batch, files = [], 0
    if batch:
        yield batch


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() > deadline
