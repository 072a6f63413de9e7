"""Discovery: list the share, compare folder by folder with the catalog, record what is new, changed or gone.

Folders are held against the catalog as they arrive, without a lock and without a write; only files that are not as
expected are looked at closer, some at a time, under the instrument's lock, while further folders are listed.

A listing that fails, is empty, or has shrunk far below what is known concludes nothing (``share_guard``): a file is
called gone only when the whole share has been seen and is believed. What is new is recorded all the same.

A folder whose listing comes in parts: none of it is held in memory but what tells which files were seen.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import monotonic

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, batches, digest_of_path, is_at, is_in
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, Instrument, ScanOutcome
from streamweave.errors import SourceError, SuspectListing
from streamweave.facility import Facility
from streamweave.harvest.background_writer import background_writer
from streamweave.harvest.file_queries import expected_files, known_files
from streamweave.harvest.record_changes import Recorder
from streamweave.harvest.scan_checkpoint import ScanCheckpoint, ScannedScope, address_of, expect_address, forget
from streamweave.harvest.scan_compare import Candidates, Digests, compare, find_candidates
from streamweave.harvest.scan_record import ScanResult, scan_on_record
from streamweave.harvest.share_guard import Expectations, doubt, expectations_of, use_acknowledgement
from streamweave.sources.base import FolderListing, SourceFile


@dataclass(slots=True)
class LargeFolder:
    """What has come of a folder so far: how many files and folders, and the digests of the files' paths."""

    path: str
    files: int = 0
    folders: int = 0
    _seen: Digests = field(default_factory=Digests)

    def take(self, session: Session, instrument_id: uuid.UUID, part: FolderListing) -> Candidates:
        """Compare one part with what the catalog knows of its files."""
        self.files += len(part.files)
        self.folders += part.folders
        sifted = Candidates()
        for files in batches(part.files):
            digests = [digest_of_path(file.source_path) for file in files]
            for digest in digests:
                self._seen.add(digest)
            sifted.include(find_candidates(files, expected_files(session, instrument_id, is_at(digests))))
        return sifted

    def missing(self, session: Session, instrument_id: uuid.UUID) -> Iterator[str]:
        """After the last part: the paths that should stand in the folder, and did not come."""
        here = is_in([digest_of_path(self.path)])
        paths = select(FileRecord.source_path).where(
            FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None), here
        )
        for path in session.scalars(paths.execution_options(yield_per=BATCH)):
            if digest_of_path(path) not in self._seen:
                yield path


FILES_PER_QUERY = 2 * BATCH
FOLDERS_PER_QUERY = 500


def discover(
    facility: Facility,
    instrument: Instrument,
    *,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
) -> ScanResult:
    """Look at the instrument's share once and record what is new, changed or gone.

    With a budget, a look that takes longer ends early, as ``partial``, with all that it saw on record; the next look
    with a budget goes on from there. Raises a ``SourceError`` when the share can't be looked at; that too is on record.
    """
    deadline = None if budget_seconds is None else monotonic() + budget_seconds
    with scan_on_record(facility, instrument.id, dagster_run_id) as sighting:
        look = _Look(facility, instrument, sighting, _coverage(facility, instrument, resumed=deadline is not None))
        with closing(facility.open_source(instrument)) as source:
            listings = source.listings(look.coverage) if look.coverage.goes_on else source.listings()
            is_complete = look.take_all(_batches(listings, deadline), deadline)
        if is_complete:
            look.conclude()
        else:
            look.interrupt()
    return sighting


def _coverage(facility: Facility, instrument: Instrument, *, resumed: bool) -> ScanCheckpoint:
    now = facility.now()
    if not resumed:
        return ScanCheckpoint(now)
    with facility.sessions() as session:
        return ScanCheckpoint.resumed(session, instrument, now)


@dataclass
class _Look:
    """One look at one share, and what has been seen of the share so far."""

    facility: Facility
    instrument: Instrument
    sighting: ScanResult
    coverage: ScanCheckpoint
    large_folder: LargeFolder = field(default_factory=lambda: LargeFolder(""))

    def __post_init__(self) -> None:
        self.sighting.continued = self.coverage.goes_on
        self.sighting.covers_since = self.coverage.started_at
        self.sighting.address = address_of(self.instrument)
        self.sighting.unlisted = self.coverage.blind

    def take_all(self, batches_of_listings: Iterable[list[FolderListing]], deadline: float | None) -> bool:
        """Compare all folders with the catalog and record the differences; returns whether the time sufficed."""
        with background_writer() as behind:
            for listings in batches_of_listings:
                asked_at, sifted = self.facility.now(), self._sift(listings)
                if sifted.watched or sifted.conspicuous:
                    behind.hand_over(partial(self._record, sifted, asked_at))
                if _is_over(deadline):
                    return False
        return True

    def _sift(self, listings: list[FolderListing]) -> Candidates:
        """Compare some folders with the catalog by one query, parts of large ones by queries of their own."""
        for listing in listings:
            if listing.problem:
                self.coverage.take_unlisted(listing.folder, _reason(listing.folder, listing.problem))
        seen = [listing for listing in listings if not listing.problem]
        self.sighting.note(seen)
        self.sighting.unreadable_folders = self.coverage.unlisted
        with self.facility.sessions() as session:
            sifted = self._sift_whole(session, [listing for listing in seen if listing.begins and listing.ends])
            for part in seen:
                if not (part.begins and part.ends):
                    sifted.include(self._sift_part(session, part))
        return sifted

    def _sift_whole(self, session: Session, listings: list[FolderListing]) -> Candidates:
        if not listings:
            return Candidates()
        for listing in listings:
            self.coverage.take(listing.folder, len(listing.files), is_leaf=not listing.folders)
        here = is_in(digest_of_path(listing.folder) for listing in listings)
        files = [file for listing in listings for file in listing.files]
        sifted = find_candidates(files, expected_files(session, self.instrument.id, here))
        self.coverage.miss(sifted.missing)
        return sifted

    def _sift_part(self, session: Session, part: FolderListing) -> Candidates:
        if part.begins:
            self.large_folder = LargeFolder(part.folder)
        large = self.large_folder
        sifted = large.take(session, self.instrument.id, part)
        if part.ends:
            self.coverage.take(large.path, large.files, is_leaf=not large.folders)
            self.coverage.miss(large.missing(session, self.instrument.id))
        return sifted

    def _record(self, sifted: Candidates, asked_at: datetime) -> None:
        for watched in batches(sifted.watched):
            with self.facility.sessions.begin() as session:
                self._lock(session)
                Recorder(session, self.instrument, self.facility.mint_identifier, asked_at).look_again(watched)
        for conspicuous in batches(sifted.conspicuous):
            self._look_closer(conspicuous)

    def _lock(self, session: Session) -> None:
        """Take the instrument's lock. Raises ``AddressChanged`` when this is no longer its address."""
        lock_instrument(session, self.instrument.id)
        expect_address(session, self.instrument)

    def _look_closer(self, files: list[SourceFile]) -> None:
        with self.facility.sessions.begin() as session:
            self._lock(session)
            known = known_files(session, self.instrument.id, [file.source_path for file in files])
            differences = compare(files, known)
            Recorder(session, self.instrument, self.facility.mint_identifier, self.facility.now()).record(differences)
        self.sighting.new_files += len(differences.new)
        self.sighting.changed_files += len(differences.changed)

    def interrupt(self) -> None:
        """The time is over: the next look goes on from here."""
        self.sighting.outcome = ScanOutcome.PARTIAL
        with self.facility.sessions.begin() as session:
            self.coverage.keep(session, self.instrument, self.facility.now())

    def conclude(self) -> None:
        """The whole share has been seen: call the missing files gone, unless the listing is not to be believed.

        Files that another look recorded since this one began are not its business.
        """
        with self.facility.sessions() as session:
            expectations = expectations_of(session, self.instrument, self.coverage, self.facility.now())
        if self._is_believed(expectations):
            self.sighting.extent = ScannedScope(self.coverage.started_at, frozenset(self.coverage.blind))
            for folders in batches(expectations.vanished_folders):
                self._conclude_gone(is_in(folders))
            for paths in batches(self.coverage.missing):
                self._conclude_gone(is_at(paths))
        with self.facility.sessions.begin() as session:
            forget(session, self.instrument.id)

    def _is_believed(self, expectations: Expectations) -> bool:
        """Whether what is missing may be called gone; the alarm if not, or a person's word for it, is on record."""
        found = doubt(self.instrument, expectations, seen=self.coverage.files)
        if found is None:
            return True
        with self.facility.sessions.begin() as session:
            self.sighting.acknowledged = use_acknowledgement(session, self.instrument.id, self.facility.now())
        if not self.sighting.acknowledged:
            self.sighting.outcome = ScanOutcome.SUSPECT
            self.sighting.error_kind, self.sighting.error_message = SuspectListing.kind(), found
        return self.sighting.acknowledged

    def _conclude_gone(self, which: ColumnElement[bool]) -> None:
        with self.facility.sessions.begin() as session:
            self._lock(session)
            recorder = Recorder(session, self.instrument, self.facility.mint_identifier, self.facility.now())
            self.sighting.gone_files += recorder.conclude_gone(which, known_before=self.coverage.started_at)


def _reason(folder: str, problem: SourceError) -> str:
    """Why a folder could not be listed; most sentences begin with its path, which stands beside it."""
    return str(problem).removeprefix(f"{folder}: ")


def _batches(listings: Iterator[FolderListing], deadline: float | None) -> Iterator[list[FolderListing]]:
    """The listings in batches; after the deadline one last, smaller one."""
    batch: list[FolderListing] = []
    files = 0
    for listing in listings:
        batch.append(listing)
        files += len(listing.files)
        is_full = files >= FILES_PER_QUERY or len(batch) >= FOLDERS_PER_QUERY
        if is_full or _is_over(deadline):
            yield batch
            batch, files = [], 0
    if batch:
        yield batch


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and monotonic() > deadline
