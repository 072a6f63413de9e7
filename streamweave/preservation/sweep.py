"""Sweeps: copies of storage locations are re-read, batch by batch, each night or on demand.

The nightly sweep goes over every location that holds copies, side by side, so that none waits for a slow one. Each
batch is on record before the next one is read: the next sweep resumes where a killed one stopped. Two sweeps at once
read some copies twice, and find the same. The checks that a sweep records are never changed. No database session is
open while bytes are read.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, is_one_of, update_many
from streamweave.catalog.tables import (
    FixityCheck,
    FixitySweep,
    StorageLocation,
    SweepKind,
    Transfer,
    TransferStatus,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.journal.keeping import complete_journal
from streamweave.preservation.damage import hold_if_too_much, lock_location, mark_damaged, open_hold
from streamweave.preservation.report import SweepReport, locations_with_copies, missed
from streamweave.preservation.reread import (
    LONGEST_NIGHT,
    ArchivedCopy,
    ByteListener,
    CopyCheck,
    CopyChecker,
    Quota,
    check_content,
    copies_found_damaged,
    holdings_of,
    longest_unread_copies,
    other_copies,
    quota_of,
    within,
)
from streamweave.storage.base import Storage

LOCATIONS_AT_ONCE = 4
BATCH_FILES = 256
BATCH_BYTES = 1 << 30
"""A batch ends with the file that brings it there: so much is read again after a kill, at most."""

BatchListener = Callable[[SweepReport, Sequence[ArchivedCopy]], None]
CopySelection = Callable[[Session, uuid.UUID, datetime, int], list[ArchivedCopy]]


def sweep_archive(
    facility: Facility,
    *,
    dagster_run_id: str | None = None,
    on_batch: BatchListener = lambda report, copies: None,
    on_location: Callable[[SweepReport], None] = lambda report: None,
) -> list[SweepReport]:
    """Sweep all locations; returns the report of each. ``on_batch`` is called from several threads.

    The first sweep after an upgrade also notes in a journal what was archived before there were journals. A fault of
    our own in one location is raised when the others are done.
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


def sweep_tonight(
    facility: Facility,
    location: StorageLocation,
    *,
    dagster_run_id: str | None = None,
    on_batch: BatchListener = lambda report, copies: None,
) -> SweepReport:
    """Re-read what is due of a storage location: known damage, then its share of everything, the longest unread first.

    Of a location that is held only the known damage is re-read, so that a recovery shows; one that gets a hold now is
    read no further. Damage below the threshold is marked in the end.
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
        mark_damaged(facility, location)
    return sweep.report


def _tonights(sweep: "Sweep", quota: Quota) -> Iterator[list[ArchivedCopy]]:
    yield from sweep.batches(copies_found_damaged)
    while not sweep.report.held and sweep.facility.now() - sweep.started_at < LONGEST_NIGHT:
        batch = quota.taken(sweep.next_batch(longest_unread_copies), sweep.report.work)
        if not batch:
            return
        yield batch


def sweep_completely(
    facility: Facility,
    location: StorageLocation,
    *,
    on_batch: BatchListener = lambda report, copies: None,
    on_bytes: ByteListener = lambda copy, number_of_bytes: None,
) -> SweepReport:
    """Re-read every copy of a storage location now, however much of it is damaged. Nothing is marked damaged."""
    sweep = Sweep(facility, location, SweepKind.COMPLETE)
    sweep.run(sweep.batches(longest_unread_copies), on_batch, on_bytes)
    sweep.end()
    return sweep.report


class OnDemandCheck:
    """A sweep over single copies, one after the other. Begins when it is made; ``end`` it."""

    def __init__(self, facility: Facility, location: StorageLocation) -> None:
        self._facility = facility
        self._location = location
        self._sweep = Sweep(facility, location, SweepKind.COMPLETE)

    @property
    def held(self) -> str | None:
        """Why the location is held by now, if it is."""
        return self._sweep.report.held or None

    def reread(self, copy: ArchivedCopy) -> tuple[CopyCheck, datetime]:
        """Re-read a copy; returns the result, and since when it is on record.

        Raises a ``StorageError`` when it is the location that can't be read; it is not tried again then, as each
        attempt takes long.
        """
        report = self._sweep.report
        if report.trouble is not None:
            raise report.trouble
        try:
            [check], at = self._sweep.reread([copy])
        except StorageError as error:
            report.trouble = error
            raise
        return check, at

    def end(self) -> None:
        """If damage was found, mark it as a nightly sweep does: what was known before is read once more first."""
        report = self._sweep.report
        found = report.damaged_files > 0
        if found and not report.trouble:
            self._sweep.run(self._sweep.batches(copies_found_damaged))
        self._sweep.end()
        if found and not report.trouble and not report.held:
            mark_damaged(self._facility, self._location)


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
        row = FixitySweep(
            storage_location_id=location.id, kind=kind, dagster_run_id=dagster_run_id, started_at=self.started_at
        )
        with facility.sessions.begin() as session:
            session.add(row)
            session.flush()
            self._id = row.id

    def run(
        self,
        batches: Iterable[Sequence[ArchivedCopy]],
        on_batch: BatchListener = lambda report, copies: None,
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

    def batches(self, selection: CopySelection) -> Iterator[list[ArchivedCopy]]:
        """All batches of a selection; each is selected when the one before is on record."""
        return iter(lambda: self.next_batch(selection), [])

    def next_batch(self, selection: CopySelection) -> list[ArchivedCopy]:
        with self.facility.sessions() as session:
            copies = selection(session, self._location.id, self.started_at, BATCH_FILES)
        return within(copies, BATCH_BYTES)

    def reread(
        self, batch: Sequence[ArchivedCopy], on_bytes: ByteListener = lambda copy, number_of_bytes: None
    ) -> tuple[Sequence[CopyCheck], datetime]:
        """Re-read a batch; returns the results, and since when they are on record.

        Raises a ``StorageError`` when it is the location that can't be read.
        """
        storage = self._opened()
        others = partial(other_copies, self.facility.sessions, self._location.id)
        checks = CopyChecker(storage, check_content, others, self.facility.wait, on_bytes).check(batch)
        for check in checks:
            self.report.add(check, storage)
        now = self.facility.now()
        with self.facility.sessions.begin() as session:
            lock_location(session, self._location.id)
            record_checks(session, self._location.id, self._id, checks, now)
            hold = hold_if_too_much(session, self._location.id, self._id, self.report.files, now)
            self.report.held = hold.because if hold else ""
            self._record_counts(session, None)
        return checks, now

    def end(self) -> None:
        """Put the outcome on record."""
        with self.facility.sessions.begin() as session:
            self._record_counts(session, self.facility.now())

    def _opened(self) -> Storage:
        self._storage = self._storage or self.facility.open_marked(self._location)
        return self._storage

    def _record_counts(self, session: Session, finished_at: datetime | None) -> None:
        session.execute(
            update(FixitySweep)
            .where(FixitySweep.id == self._id)
            .values(
                files=self.report.files,
                bytes=self.report.bytes,
                damaged=self.report.damaged_files,
                trouble=self.report.warnings() or None,
                finished_at=finished_at,
            )
        )


def record_checks(
    session: Session, location_id: uuid.UUID, sweep_id: uuid.UUID, checks: Sequence[CopyCheck], now: datetime
) -> None:
    """Write the results for some copies. The caller commits."""
    rows = [
        {
            "id": uuid7(),
            "sweep_id": sweep_id,
            "transfer_id": check.copy.transfer_id,
            "file_id": check.copy.file_id,
            "storage_location_id": location_id,
            "checked_at": now,
            "outcome": check.outcome,
            "found": check.found,
        }
        for check in checks
    ]
    insert_many(session, FixityCheck, rows)
    known_since = _found_damaged_at(session, [check.copy.transfer_id for check in checks])
    changes = [
        {
            "id": transfer_id,
            "last_verified_at": now,
            "damage": check.found,
            "damage_found_at": None if check.found is None else known_since[transfer_id] or now,
        }
        for check in checks
        if (transfer_id := check.copy.transfer_id) in known_since
    ]
    update_many(session, Transfer, changes)


def _found_damaged_at(session: Session, transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """Since when these copies are known to be damaged. Those that were marked damaged since are left out.

    Their rows are locked, in an order that is the same for two sweeps.
    """
    rows = session.connection().execute(
        select(Transfer.id, Transfer.damage_found_at)
        .where(is_one_of(Transfer.id, transfer_ids), Transfer.status == TransferStatus.COMPLETED)
        .order_by(Transfer.id)
        .with_for_update()
    )
    return dict(rows.tuples().all())
