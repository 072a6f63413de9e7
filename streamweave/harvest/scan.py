"""Scanning: list the share, compare folder by folder with the catalog, record what is new, changed or gone.

Folders are compared with the catalog as they arrive, without a lock and without a write; only files that are not as
expected are compared again, some at a time, under the instrument's lock, while further folders are listed.

From a listing that fails, is empty, or has shrunk far below what is known, nothing is concluded (``share_guard``): a
file is recorded as gone only when the whole share was scanned and the scan is plausible. What is new is recorded in any
case.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, batches, digest_of_path, is_at, is_in
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, Instrument, ScanOutcome
from streamweave.errors import SuspectListing
from streamweave.facility import Facility
from streamweave.harvest.background_thread import BackgroundThread
from streamweave.harvest.record_changes import (
    Candidates,
    Recorder,
    compare,
    expected_files,
    find_candidates,
    known_files,
)
from streamweave.harvest.scan_record import (
    Digests,
    ScanCheckpoint,
    ScannedScope,
    ScanResult,
    address_of,
    delete_checkpoint,
    expect_address,
    scan_on_record,
)
from streamweave.harvest.share_guard import Expectations, expectations_of, suspicion, use_acknowledgement
from streamweave.sources.base import FolderListing, SourceFile

FILES_PER_QUERY = 2 * BATCH
FOLDERS_PER_QUERY = 500


def discover(
    facility: Facility,
    instrument: Instrument,
    *,
    budget_seconds: float | None = None,
    dagster_run_id: str | None = None,
) -> ScanResult:
    """Scan the instrument's share once and record what is new, changed or gone.

    With a budget, a scan that takes longer ends early, as ``partial``, with all that it saw on record; the next scan
    with a budget resumes there. Raises a ``SourceError`` when the share can't be scanned; that too is on record.
    """
    deadline = None if budget_seconds is None else monotonic() + budget_seconds
    with scan_on_record(facility, instrument.id, dagster_run_id) as result:
        now = facility.now()
        checkpoint = ScanCheckpoint(now)
        if deadline is not None:
            with facility.sessions() as session:
                checkpoint = ScanCheckpoint.resumed(session, instrument, now)
        scan = _Scan(facility, instrument, result, checkpoint)
        with closing(facility.open_source(instrument)) as source:
            listings = source.listings(checkpoint) if checkpoint.is_resumed else source.listings()
            is_complete = scan.take_all(_batches(listings, deadline), deadline)
        if is_complete:
            scan.conclude()
        else:
            scan.interrupt()
    return result


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


@dataclass(slots=True)
class LargeFolder:
    """A folder whose listing comes in parts: how many files and folders so far, and the digests of the files' paths.

    Nothing else of it is held in memory.
    """

    path: str
    files: int = 0
    folders: int = 0
    _seen: Digests = field(default_factory=Digests)

    def take(self, session: Session, instrument_id: uuid.UUID, part: FolderListing) -> Candidates:
        """Compare one part with what the catalog knows of its files."""
        self.files += len(part.files)
        self.folders += part.folders
        candidates = Candidates()
        for files in batches(part.files):
            digests = [digest_of_path(file.source_path) for file in files]
            for digest in digests:
                self._seen.add(digest)
            candidates.include(find_candidates(files, expected_files(session, instrument_id, is_at(digests))))
        return candidates

    def missing(self, session: Session, instrument_id: uuid.UUID) -> Iterator[str]:
        """After the last part: the paths that should be in the folder, and were not listed."""
        here = is_in([digest_of_path(self.path)])
        paths = select(FileRecord.source_path).where(
            FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None), here
        )
        for path in session.scalars(paths.execution_options(yield_per=BATCH)):
            if digest_of_path(path) not in self._seen:
                yield path


@dataclass
class _Scan:
    """One scan of one share, and what has been seen of the share so far."""

    facility: Facility
    instrument: Instrument
    result: ScanResult
    checkpoint: ScanCheckpoint
    large_folder: LargeFolder = field(default_factory=lambda: LargeFolder(""))

    def __post_init__(self) -> None:
        self.result.continued = self.checkpoint.is_resumed
        self.result.covers_since = self.checkpoint.started_at
        self.result.address = address_of(self.instrument)
        self.result.unlisted = self.checkpoint.unlistable_folders

    def take_all(self, batches_of_listings: Iterable[list[FolderListing]], deadline: float | None) -> bool:
        """Compare all folders with the catalog and record the differences; returns whether the time sufficed."""
        with BackgroundThread("record") as recorder:
            for listings in batches_of_listings:
                read_at, candidates = self.facility.now(), self._find_candidates(listings)
                if candidates.watched or candidates.differing:
                    recorder.do(self._record, candidates, read_at)
                if _is_over(deadline):
                    return False
        return True

    def _find_candidates(self, listings: list[FolderListing]) -> Candidates:
        """Compare some folders with the catalog by one query, parts of large ones by queries of their own."""
        for listing in listings:
            if listing.problem:
                # most messages begin with the path, which is shown next to them
                reason = str(listing.problem).removeprefix(f"{listing.folder}: ")
                self.checkpoint.take_unlisted(listing.folder, reason)
        seen = [listing for listing in listings if not listing.problem]
        self.result.note(seen)
        self.result.unreadable_folders = self.checkpoint.unlisted
        with self.facility.sessions() as session:
            candidates = self._compare_whole(session, [listing for listing in seen if listing.begins and listing.ends])
            for part in seen:
                if not (part.begins and part.ends):
                    candidates.include(self._compare_part(session, part))
        return candidates

    def _compare_whole(self, session: Session, listings: list[FolderListing]) -> Candidates:
        if not listings:
            return Candidates()
        for listing in listings:
            self.checkpoint.take(listing.folder, len(listing.files), is_leaf=not listing.folders)
        here = is_in(digest_of_path(listing.folder) for listing in listings)
        files = [file for listing in listings for file in listing.files]
        candidates = find_candidates(files, expected_files(session, self.instrument.id, here))
        self.checkpoint.miss(candidates.missing)
        return candidates

    def _compare_part(self, session: Session, part: FolderListing) -> Candidates:
        if part.begins:
            self.large_folder = LargeFolder(part.folder)
        large = self.large_folder
        candidates = large.take(session, self.instrument.id, part)
        if part.ends:
            self.checkpoint.take(large.path, large.files, is_leaf=not large.folders)
            self.checkpoint.miss(large.missing(session, self.instrument.id))
        return candidates

    def _record(self, candidates: Candidates, read_at: datetime) -> None:
        for watched in batches(candidates.watched):
            with self.facility.sessions.begin() as session:
                self._recorder(session, read_at).mark_observed(watched)
        for differing in batches(candidates.differing):
            self._record_differences(differing)

    def _record_differences(self, files: list[SourceFile]) -> None:
        with self.facility.sessions.begin() as session:
            recorder = self._recorder(session)
            known = known_files(session, self.instrument.id, [file.source_path for file in files])
            differences = compare(files, known)
            recorder.record(differences)
        self.result.new_files += len(differences.new)
        self.result.changed_files += len(differences.changed)

    def _recorder(self, session: Session, now: datetime | None = None) -> Recorder:
        """Take the instrument's lock. Raises ``AddressChanged`` when this is no longer its address."""
        lock_instrument(session, self.instrument.id)
        expect_address(session, self.instrument)
        return Recorder(session, self.instrument, self.facility.mint_identifier, now or self.facility.now())

    def interrupt(self) -> None:
        """The time is over: the next scan resumes here."""
        self.result.outcome = ScanOutcome.PARTIAL
        with self.facility.sessions.begin() as session:
            self.checkpoint.save(session, self.instrument, self.facility.now())

    def conclude(self) -> None:
        """The whole share has been seen: record the missing files as gone, if that is plausible.

        Files that another scan recorded since this one began are left alone.
        """
        with self.facility.sessions() as session:
            expectations = expectations_of(session, self.instrument, self.checkpoint, self.facility.now())
        if self._is_plausible(expectations):
            unlistable = frozenset(self.checkpoint.unlistable_folders)
            self.result.extent = ScannedScope(self.checkpoint.started_at, unlistable)
            for folders in batches(expectations.vanished_folders):
                self._conclude_gone(is_in(folders))
            for paths in batches(self.checkpoint.missing):
                self._conclude_gone(is_at(paths))
        with self.facility.sessions.begin() as session:
            delete_checkpoint(session, self.instrument.id)

    def _is_plausible(self, expectations: Expectations) -> bool:
        """Whether missing files may be recorded as gone; if not, or if a user acknowledged it, that is on record."""
        reason = suspicion(self.instrument, expectations, seen=self.checkpoint.files)
        if reason is None:
            return True
        with self.facility.sessions.begin() as session:
            self.result.acknowledged = use_acknowledgement(session, self.instrument.id, self.facility.now())
        if not self.result.acknowledged:
            self.result.outcome = ScanOutcome.SUSPECT
            self.result.error_kind, self.result.error_message = SuspectListing.kind(), reason
        return self.result.acknowledged

    def _conclude_gone(self, which: ColumnElement[bool]) -> None:
        with self.facility.sessions.begin() as session:
            recorder = self._recorder(session)
            self.result.gone_files += recorder.conclude_gone(which, known_before=self.checkpoint.started_at)
