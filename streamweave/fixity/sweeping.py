"""Sweeps: the copies of one storage location are re-read, in turn, batch by batch.

Each batch is on record before the next one is read: a sweep that is killed is gone on with by the next one. Two sweeps
at once read some copies twice, and find the same. No database session is open while bytes are read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from streamweave.catalog.tables import StorageLocation, SweepKind
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.fixity.conclusions import conclude
from streamweave.fixity.doubts import Rereader
from streamweave.fixity.guard import hold_if_too_much, lock_location, open_hold
from streamweave.fixity.quota import LONGEST_NIGHT, Quota, quota_of, within
from streamweave.fixity.recording import begin_sweep, note_counts, record
from streamweave.fixity.report import SweepReport
from streamweave.fixity.rereading import ArchivedCopy, ByteListener, Finding, read_whole
from streamweave.fixity.standing import missed
from streamweave.fixity.turns import copies_in_turn, damaged_copies, holdings_of, other_copies
from streamweave.storage.base import Storage

BATCH_FILES = 256
BATCH_BYTES = 1 << 30
"""A batch ends with the file that brings it there: so much is read again after a kill, at most."""

BatchListener = Callable[[SweepReport, Sequence[ArchivedCopy]], None]
Question = Callable[[Session, UUID, datetime, int], list[ArchivedCopy]]


def sweep_tonight(
    facility: Facility,
    location: StorageLocation,
    *,
    dagster_run_id: str | None = None,
    on_batch: BatchListener = lambda report, batch: None,
) -> SweepReport:
    """Re-read what is due of a storage location: known damage, then its share of everything, the longest unread first.

    A location that is held has only its known damage re-read, so that a recovery shows; one that comes to be held is
    read no further. Damage below the rate guard is concluded in the end.
    """
    sweep = Sweep(facility, location, SweepKind.NIGHTLY, dagster_run_id)
    with facility.sessions() as session:
        quota = quota_of(holdings_of(session, location.id), sweep.started_at)
        hold = open_hold(session, location.id)
    sweep.report.held = hold.because if hold else ""
    sweep.run(_tonights(sweep, quota), on_batch)
    sweep.report.missed = missed(facility, location, quota, sweep.report.work)
    sweep.end()
    if not sweep.report.trouble and not sweep.report.held:
        conclude(facility, location)
    return sweep.report


def sweep_completely(
    facility: Facility,
    location: StorageLocation,
    *,
    on_batch: BatchListener = lambda report, batch: None,
    on_bytes: ByteListener = lambda copy, number_of_bytes: None,
) -> SweepReport:
    """Re-read every copy of a storage location now, however much of it is damaged. Nothing is concluded from it."""
    sweep = Sweep(facility, location, SweepKind.COMPLETE)
    sweep.run(iter(lambda: sweep.ask(copies_in_turn), []), on_batch, on_bytes)
    sweep.end()
    return sweep.report


def _tonights(sweep: "Sweep", quota: Quota) -> Iterator[list[ArchivedCopy]]:
    while batch := sweep.ask(damaged_copies):
        yield batch
    while not sweep.report.held and sweep.facility.now() - sweep.started_at < LONGEST_NIGHT:
        batch = quota.taken(sweep.ask(copies_in_turn), sweep.report.work)
        if not batch:
            return
        yield batch


class Sweep:
    """One sweep over one location, on record from its beginning."""

    def __init__(
        self, facility: Facility, location: StorageLocation, kind: SweepKind, dagster_run_id: str | None = None
    ) -> None:
        self.facility = facility
        self.started_at = facility.now()
        self.report = SweepReport(location.name)
        self._location = location
        self._storage: Storage | None = None
        with facility.sessions.begin() as session:
            self._id = begin_sweep(session, location, kind, dagster_run_id, self.started_at)

    def run(
        self,
        batches: Iterable[Sequence[ArchivedCopy]],
        on_batch: BatchListener = lambda report, batch: None,
        on_bytes: ByteListener = lambda copy, number_of_bytes: None,
    ) -> None:
        """Re-read batch after batch, until there are no more, or the location fails."""
        try:
            self._opened()
            for batch in batches:
                self.reread(batch, on_bytes)
                on_batch(self.report, batch)
        except StorageError as error:
            self.report.trouble = error

    def reread(
        self, batch: Sequence[ArchivedCopy], on_bytes: ByteListener = lambda copy, number_of_bytes: None
    ) -> tuple[Sequence[Finding], datetime]:
        """Re-read a batch; returns what was found, and since when that is on record.

        Raises a ``StorageError`` when it is the location that can't be read.
        """
        storage = self._opened()
        findings = Rereader(storage, read_whole, self._others, self.facility.wait, on_bytes).reread(batch)
        return findings, self._take_in(findings, storage)

    def ask(self, question: Question) -> list[ArchivedCopy]:
        """The next batch of those that a question about turns finds."""
        with self.facility.sessions() as session:
            copies = question(session, self._location.id, self.started_at, BATCH_FILES)
        return within(copies, BATCH_BYTES)

    def end(self) -> None:
        """Put the outcome on record."""
        with self.facility.sessions.begin() as session:
            note_counts(session, self._id, self.report, self.facility.now())

    def _opened(self) -> Storage:
        self._storage = self._storage or self.facility.open_marked(self._location)
        return self._storage

    def _others(self, than: Sequence[ArchivedCopy], limit: int) -> list[ArchivedCopy]:
        with self.facility.sessions() as session:
            return other_copies(session, self._location.id, than, limit)

    def _take_in(self, findings: Sequence[Finding], storage: Storage) -> datetime:
        for finding in findings:
            self.report.add(finding, storage)
        now = self.facility.now()
        with self.facility.sessions.begin() as session:
            lock_location(session, self._location.id)
            record(session, self._location.id, self._id, findings, now)
            hold = hold_if_too_much(session, self._location.id, self._id, self.report.files, now)
            self.report.held = hold.because if hold else ""
            note_counts(session, self._id, self.report, None)
        return now
