"""Scans on record: a scan is written down before it begins, and its outcome when it ends."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from streamweave.catalog.leases import BEAT_SECONDS, LEASE_SECONDS, beating
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Scan, ScanOutcome
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.scan_checkpoint import ScannedScope
from streamweave.printable import counted
from streamweave.sources.base import FolderListing

NAMED_FOLDERS = 1_000
"""More unreadable folders than these are counted, and not named."""
FOLDERS_IN_A_SENTENCE = 3
LARGEST_COUNT = (1 << 63) - 1
"""The largest number that a column holds."""
INTERRUPTED = "interrupted"
"""The kind of an end that is none of our own errors: a bug, a signal, or a process that was killed."""
NOT_COLUMNS = {"extent", "unlisted"}


@dataclass(slots=True)
class ScanResult:
    """What one scan has seen so far. ``bytes`` counts the sizes of all files seen.

    A ``continued`` scan resumes where the last one ran out of time: what that one saw is not counted again, and
    ``covers_since`` is when the first of them began. ``unlisted`` are the folders that could not be listed, with
    reasons; ``NAMED_FOLDERS`` of them are stored.
    """

    folders: int = 0
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    changed_files: int = 0
    gone_files: int = 0
    unreadable_folders: int = 0
    continued: bool = False
    acknowledged: bool = False
    covers_since: datetime | None = None
    address: str | None = None
    unlisted: Mapping[str, str] = field(default_factory=dict)
    outcome: ScanOutcome = ScanOutcome.COMPLETE
    error_kind: str | None = None
    error_message: str | None = None
    extent: ScannedScope = field(default_factory=ScannedScope)
    """How much of the share this scan, with those that it resumed, has seen; not stored."""

    def note(self, listings: Sequence[FolderListing]) -> None:
        """Count what is in folders that were listed, or in parts of them."""
        self.folders += sum(listing.ends for listing in listings)
        self.files += sum(len(listing.files) for listing in listings)
        size = sum(file.size_bytes for listing in listings for file in listing.files)
        self.bytes = min(self.bytes + size, LARGEST_COUNT)

    def fail(self, error: BaseException) -> None:
        """The scan has ended by an error."""
        self.outcome = ScanOutcome.FAILED
        if isinstance(error, StreamWeaveError):
            self.error_kind, self.error_message = error.kind(), str(error)
        else:
            self.error_kind, self.error_message = INTERRUPTED, f"{type(error).__name__}: {error}"

    def sentence(self) -> str:
        """What was seen, for people."""
        if self.outcome == ScanOutcome.FAILED:
            return f"could not scan: {self.error_message}"
        seen = f"{counted(self.files, 'file')} in {counted(self.folders, 'folder')}"
        seen += f": {self.new_files} new, {self.changed_files} changed"
        if self.gone_files:
            seen += f", {self.gone_files} gone"
        if self.unreadable_folders:
            seen += f"; {unlisted_sentence(self.unreadable_folders, self.unlisted)}"
        if self.acknowledged:
            seen += "; accepted because a user said that the share was cleaned up"
        if self.continued:
            seen += "; resumed from the last scan"
        if self.outcome == ScanOutcome.PARTIAL:
            seen += "; the time ran out before all was seen"
        if self.outcome == ScanOutcome.SUSPECT:
            seen += f"; {self.error_message}"
        return seen


def unlisted_sentence(number: int, unlisted: Mapping[str, str]) -> str:
    """How many folders could not be listed, with the names and reasons of the first."""
    first = [f"{folder} ({unlisted[folder]})" for folder in sorted(unlisted)[:FOLDERS_IN_A_SENTENCE]]
    more = f" and {number - len(first)} more" if first and number > len(first) else ""
    return f"{counted(number, 'folder')} could not be listed{': ' if first else ''}{', '.join(first)}{more}"


@contextmanager
def scan_on_record(facility: Facility, instrument_id: uuid.UUID, dagster_run_id: str | None) -> Iterator[ScanResult]:
    """A scan that ends with its outcome on record, also when the block raises; the error is raised again.

    Updates ``heartbeat_at`` while it runs, so that the scan of a crashed process can be found and ended.
    """
    end_dead_scans(facility.sessions)
    with facility.sessions.begin() as session:
        scan = Scan(instrument_id=instrument_id, dagster_run_id=dagster_run_id, started_at=facility.now())
        session.add(scan)
    result = ScanResult()
    scan_id = scan.id

    def beat() -> None:
        with facility.sessions.begin() as session:
            session.execute(update(Scan).where(Scan.id == scan_id).values(heartbeat_at=func.now()))

    with beating(beat, every_seconds=BEAT_SECONDS, name=f"scan-{scan_id}"):
        try:
            yield result
        except BaseException as error:
            result.fail(error)
            with suppress(SQLAlchemyError):  # the first error counts; ``end_dead_scans`` ends the scan
                _finish(facility, scan_id, result)
            raise
        _finish(facility, scan_id, result)


def _finish(facility: Facility, scan_id: uuid.UUID, result: ScanResult) -> None:
    """Also of a scan that was taken for dead: its outcome is known here."""
    named = sorted(result.unlisted)[:NAMED_FOLDERS]
    with facility.sessions.begin() as session:
        scan = session.get_one(Scan, scan_id)
        scan.finished_at = facility.now()
        scan.unlisted_folders = named
        scan.unlisted_reasons = {folder: result.unlisted[folder] for folder in named}
        for each in fields(result):
            if each.name not in NOT_COLUMNS:
                setattr(scan, each.name, getattr(result, each.name))


def end_dead_scans(sessions: Sessions) -> int:
    """Record every scan, of any instrument, without a heartbeat for a lease as failed; returns how many."""
    silence = func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS)
    last_beat = func.to_char(Scan.heartbeat_at, "YYYY-MM-DD HH24:MI:SS")
    message = func.concat("the process that scanned has crashed; its last heartbeat was at ", last_beat, " UTC")
    dead = (
        update(Scan)
        .where(Scan.finished_at.is_(None), Scan.heartbeat_at < func.now() - silence)
        .values(finished_at=func.now(), outcome=ScanOutcome.FAILED, error_kind=INTERRUPTED, error_message=message)
        .returning(Scan.id)
    )
    with sessions.begin() as session:
        return len(session.scalars(dead).all())


def latest_scan(session: Session, instrument_id: uuid.UUID, *, outcome: ScanOutcome | None = None) -> Scan | None:
    """The last finished scan of an instrument's share; with ``outcome``, the last that ended so."""
    finished = select(Scan).where(Scan.instrument_id == instrument_id, Scan.finished_at.is_not(None))
    if outcome is not None:
        finished = finished.where(Scan.outcome == outcome)
    return session.scalar(finished.order_by(Scan.started_at.desc()).limit(1))
