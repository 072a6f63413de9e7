"""Sweeps: the copies of one storage location are re-read, in turn, batch by batch.

Each batch is on record before the next one is read: a sweep that is killed is gone on with by the next one. Two sweeps
at once read some copies twice, and find the same. No database session is open while bytes are read.

The nightly sweep: every storage location that holds copies, side by side, so that none waits for a slow one.

The first one after an upgrade also notes in a journal what was archived before there were journals.

Writes what a sweep finds, batch by batch: the checks, which nobody can change, and where each copy stands by them.

The caller commits.

Requested sweeps: some copies of one storage location are re-read because somebody wants to know about them now.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, is_one_of, update_many
from streamweave.catalog.tables import FixityCheck, FixitySweep, StorageLocation, SweepKind, Transfer, TransferStatus
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.journal.keeping import complete_journal
from streamweave.preservation.damage import conclude, hold_if_too_much, lock_location, open_hold
from streamweave.preservation.report import SweepReport, missed
from streamweave.preservation.reread import ArchivedCopy, ByteListener, CopyCheck, Rereader, read_whole
from streamweave.preservation.selection import (
    LONGEST_NIGHT,
    Quota,
    copies_in_turn,
    damaged_copies,
    holdings_of,
    other_copies,
    quota_of,
    within,
)
from streamweave.storage.base import Storage


def begin_sweep(
    session: Session, location: StorageLocation, kind: SweepKind, dagster_run_id: str | None, now: datetime
) -> uuid.UUID:
    """Put a sweep on record; returns its id."""
    sweep = FixitySweep(storage_location_id=location.id, kind=kind, dagster_run_id=dagster_run_id, started_at=now)
    session.add(sweep)
    session.flush()
    return sweep.id


def record(
    session: Session, location_id: uuid.UUID, sweep_id: uuid.UUID, findings: Sequence[CopyCheck], now: datetime
) -> None:
    """Write what was found of some copies."""
    insert_many(
        session,
        FixityCheck,
        [
            {
                "id": uuid7(),
                "sweep_id": sweep_id,
                "transfer_id": finding.copy.transfer_id,
                "file_id": finding.copy.file_id,
                "storage_location_id": location_id,
                "checked_at": now,
                "outcome": finding.outcome,
                "found": finding.found,
            }
            for finding in findings
        ],
    )
    known_since = _found_damaged_at(session, [finding.copy.transfer_id for finding in findings])
    rows = [
        {
            "id": transfer_id,
            "last_verified_at": now,
            "damage": finding.found,
            "damage_found_at": None if finding.found is None else known_since[transfer_id] or now,
        }
        for finding in findings
        if (transfer_id := finding.copy.transfer_id) in known_since
    ]
    update_many(session, Transfer, rows)


def note_counts(session: Session, sweep_id: uuid.UUID, report: SweepReport, finished_at: datetime | None) -> None:
    """How far the sweep is, or what became of it."""
    session.execute(
        update(FixitySweep)
        .where(FixitySweep.id == sweep_id)
        .values(
            files=report.files,
            bytes=report.bytes,
            damaged=report.damaged_files,
            trouble=report.warnings() or None,
            finished_at=finished_at,
        )
    )


def _found_damaged_at(session: Session, transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """Since when these copies are known to be damaged. Those that were given up meanwhile are left out.

    Their rows are locked, in an order that is the same for two sweeps.
    """
    rows = session.connection().execute(
        select(Transfer.id, Transfer.damage_found_at)
        .where(is_one_of(Transfer.id, transfer_ids), Transfer.status == TransferStatus.COMPLETED)
        .order_by(Transfer.id)
        .with_for_update()
    )
    return dict(rows.tuples().all())


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
    ) -> tuple[Sequence[CopyCheck], datetime]:
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

    def _take_in(self, findings: Sequence[CopyCheck], storage: Storage) -> datetime:
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


LOCATIONS_AT_ONCE = 4


def locations_with_copies(session: Session) -> Sequence[StorageLocation]:
    """The locations that hold copies, disabled ones too."""
    copies = select(Transfer.id).where(
        Transfer.storage_location_id == StorageLocation.id, Transfer.status == TransferStatus.COMPLETED
    )
    return session.scalars(select(StorageLocation).where(copies.exists()).order_by(StorageLocation.name)).all()


def sweep_archive(
    facility: Facility,
    *,
    dagster_run_id: str | None = None,
    on_batch: BatchListener = lambda report, batch: None,
    on_location: Callable[[SweepReport], None] = lambda report: None,
) -> list[SweepReport]:
    """Sweep all locations; returns what became of each. ``on_batch`` is called from several threads.

    A fault of our own in one of them is raised when the others are done.
    """
    with facility.sessions() as session:
        locations = locations_with_copies(session)

    def sweep(location: StorageLocation) -> SweepReport:
        complete_journal(facility, location)
        report = sweep_tonight(facility, location, dagster_run_id=dagster_run_id, on_batch=on_batch)
        on_location(report)
        return report

    with ThreadPoolExecutor(LOCATIONS_AT_ONCE, thread_name_prefix="sweep") as threads:
        under_way = [threads.submit(sweep, location) for location in locations]
    return [each.result() for each in under_way]


@dataclass(frozen=True, slots=True)
class RequestedCheck:
    """What is on record of a copy since ``at``: its ``damage``, if any; ``held`` if its location is held by now."""

    at: datetime
    damage: str | None
    held: str | None


class RequestedSweep:
    """A sweep that is told copy by copy what to re-read. Begins when it is made; ``end`` it."""

    def __init__(self, facility: Facility, location: StorageLocation) -> None:
        self._facility = facility
        self._location = location
        self._sweep = Sweep(facility, location, SweepKind.COMPLETE)

    def reread(self, copy: ArchivedCopy) -> RequestedCheck:
        """Re-read a copy, and put on record what is found.

        Raises a ``StorageError`` when it is the location that can't be read; it is not tried again then, as each try
        takes long.
        """
        report = self._sweep.report
        if report.trouble is not None:
            raise report.trouble
        try:
            [finding], at = self._sweep.reread([copy])
        except StorageError as error:
            report.trouble = error
            raise
        return RequestedCheck(at, finding.found, report.held or None)

    def end(self) -> None:
        """Conclude as a nightly sweep does, if damage was found: what was known before is read once more first."""
        report = self._sweep.report
        found = report.damaged_files > 0
        if found and not report.trouble:
            self._sweep.run(iter(lambda: self._sweep.ask(damaged_copies), []))
        self._sweep.end()
        if found and not report.trouble and not report.held:
            conclude(self._facility, self._location)
