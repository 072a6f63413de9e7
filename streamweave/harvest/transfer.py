"""Transfer: from claims to catalogued versions, many files at once.

``copy_workers`` copy side by side; this thread claims ahead of them (``ClaimBuffer``) and collects what they finish; a
further thread publishes and catalogues it, in batches. No database session is open while bytes are copied. One bad file
never stops the others; a share or a storage location that is out of order stops what depends on it
(``CircuitBreaker``).
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from queue import SimpleQueue

from streamweave.catalog.bulk import batches
from streamweave.catalog.tables import Instrument
from streamweave.errors import CopyNotProven, PathUnusable, SourceError, SourceFileError, StorageError, StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.background_thread import BackgroundThread
from streamweave.harvest.claims import (
    Claim,
    claim_transfers,
    due_locations,
    early_names_of_ours,
    free_claims_of_dead_runs,
    give_back,
    others_at_work,
    staged_names_under_way,
)
from streamweave.harvest.commit import Committed, commit_batch
from streamweave.harvest.copy_verify import Copied, Failed, Finished
from streamweave.harvest.copy_workers import CopyWorkers, WorkQueue, is_large
from streamweave.harvest.progress import (
    FileOutcome,
    HarvestReport,
    Interval,
    Meter,
    ProgressListener,
    ProgressReports,
    due_work,
)
from streamweave.harvest.rate_limit import Pace, closed_until, limits_of
from streamweave.journal.keeping import JournalKeeper, keep_journals
from streamweave.journal.readoption import readopt
from streamweave.storage.base import Leftovers, Storage, discard_leftovers, find_leftovers

CLAIMED_AT_ONCE = 2_000
CLAIMED_AT_MOST = 10_000
"""More is claimed when fewer than ``CLAIMED_AT_ONCE`` small files or no large one waits for a reader, up to so many."""
REFUSALS_IN_A_ROW = 3
"""So many storage errors without a success between them mean the location, not the file."""
BATCH_FILES = 512
BATCH_SECONDS = 1.0
OTHERS_SECONDS = 1.0

Listener = Callable[[Sequence[FileOutcome]], None]


def transfer_files(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    days: Collection[date] | None = None,
    on_outcomes: Listener = lambda outcomes: None,
    on_progress: ProgressListener = lambda progress: None,
) -> HarvestReport:
    """Archive every due version of an instrument, or of some acquisition days of it, as the run ``run_id``.

    ``on_outcomes`` is called with each batch once it is on record, ``on_progress`` at most once a second and at the
    end. What stopped the work early is in the report's ``troubles``, or, when the instrument's hours were over, its
    ``pause``. Versions that another run holds are waited for: it archives them, or it has crashed and this one does.
    """
    started = time.monotonic()
    report = HarvestReport()
    meter = Meter()
    progress = ProgressReports(facility, run_id, meter, on_progress)
    opened: dict[uuid.UUID, Storage] = {}
    with facility.sessions() as session:
        journals = keep_journals(session, instrument, run_id)
    while True:
        free_claims_of_dead_runs(facility, instrument)
        storages, troubles = open_destinations(facility, instrument, days, opened)
        opened |= storages
        report.troubles += troubles
        if storages:
            meter.expect(*due_work(facility, instrument, days))
            transfer = _Transfer(facility, instrument, run_id, days, storages, journals, meter, on_outcomes)
            report.include(transfer.run(progress))
            progress.report_now()
        if report.troubles or report.pause or not others_at_work(facility, instrument, run_id, days):
            report.seconds = time.monotonic() - started
            return report
        facility.wait(OTHERS_SECONDS)


def open_destinations(
    facility: Facility, instrument: Instrument, days: Collection[date] | None, opened: Mapping[uuid.UUID, Storage]
) -> tuple[dict[uuid.UUID, Storage], list[StorageError]]:
    """The storage locations into which transfers are due, ready for writing; and what is wrong with the others.

    What their journals know and the catalog does not is read into the catalog before anything is written to them. Those
    that the run has ``opened`` before are not checked again: that takes many requests where they are far away.
    """
    with facility.sessions() as session:
        locations = due_locations(session, instrument.id, facility.now(), days)
    ready = {location.id: opened[location.id] for location in locations if location.id in opened}
    troubles: list[StorageError] = []
    for location in locations:
        if location.id in ready:
            continue
        try:
            storage = facility.open_marked(location, to_write=True)
            sweep(facility, location.id, storage)
            readopt(facility, location, storage)
        except StorageError as error:
            troubles.append(error)
        else:
            ready[location.id] = storage
    return ready, troubles


def sweep(facility: Facility, storage_location_id: uuid.UUID, storage: Storage) -> int:
    """Remove this catalog's staged files that belong to no transfer under way; returns how many.

    Where catalogs once shared one staging area, only files that are known to be this catalog's are removed. The names
    are listed before the claims are read: a run claims a transfer before it stages the file.
    """
    leftovers = find_leftovers(storage, partial(staged_names_under_way, facility, storage_location_id))
    with facility.sessions() as session:
        ours = early_names_of_ours(session, leftovers.early)
    return discard_leftovers(storage, Leftovers(leftovers.own, sorted(ours)))


@dataclass
class ClaimBuffer:
    """Claims due transfers of an instrument, or of some acquisition days of it, and puts them on the work queue.

    ``held`` are, by their ids, the claims that were not released yet. What is still on a closed queue will not be
    begun: the next ``refill`` gives it back.
    """

    facility: Facility
    instrument: Instrument
    run_id: uuid.UUID
    days: Collection[date] | None
    queue: WorkQueue
    held: dict[uuid.UUID, Claim] = field(default_factory=dict)
    is_exhausted: bool = False

    def refill(self, into: Collection[uuid.UUID], committing: int) -> None:
        """Claim for these storage locations as much as there is room for.

        Once nothing more was due, the database is asked again only at the end: when nothing is held, and none of the
        released claims is being committed.
        """
        if self.queue.is_closed:
            self.withdraw()
        elif into and self._has_room(committing):
            claims = claim_transfers(
                self.facility, self.instrument, self.run_id, into=into, limit=CLAIMED_AT_ONCE, days=self.days
            )
            self.held |= {claim.claim_id: claim for claim in claims}
            self.is_exhausted = len(claims) < CLAIMED_AT_ONCE
            self.queue.add(claims)

    def _has_room(self, committing: int) -> bool:
        if self.is_exhausted:
            return not self.held and not committing
        small, large = self.queue.waiting()
        return (small < CLAIMED_AT_ONCE or not large) and len(self.held) <= CLAIMED_AT_MOST - CLAIMED_AT_ONCE

    def release(self, claims: Iterable[Claim]) -> None:
        """Hold these claims no longer: they were given back, or are being committed."""
        for claim in claims:
            del self.held[claim.claim_id]

    def end(self) -> None:
        """Begin nothing more. What is under way is finished: half a file is of no use."""
        self.queue.close()
        self.withdraw()

    def withdraw(self, which: Callable[[Claim], bool] = lambda _: True) -> None:
        """Give back the claims that no worker has begun with."""
        if claims := self.queue.withdraw(which):
            give_back(self.facility, claims)
            self.release(claims)

    def give_back_all(self) -> None:
        """Give everything back, begun or not: the run is over."""
        give_back(self.facility, self.held.values())


class CircuitBreaker:
    """What failures of single files mean for the share, and for the storage locations, as a whole.

    ``open`` are the storage locations that work; ``errors`` are what closed the others, or the share.
    """

    def __init__(self, locations: Iterable[uuid.UUID]) -> None:
        self.open = set(locations)
        self.share_is_lost = False
        self.errors: list[StreamWeaveError] = []
        self._refusals: Counter[uuid.UUID] = Counter()

    def archived(self, claim: Claim) -> None:
        """The storage location works."""
        if self._refusals:
            del self._refusals[claim.storage_location_id]

    def failed(self, claim: Claim, error: StreamWeaveError) -> bool:
        """Take a failure into account; True when less can be done because of it."""
        match error:
            case SourceFileError() | PathUnusable() | CopyNotProven():
                return False
            case SourceError():
                if not self.share_is_lost:
                    self.errors.append(error)
                self.share_is_lost = True
                return True
            case StorageError():
                self._refusals[claim.storage_location_id] += 1
                if self._refusals[claim.storage_location_id] != REFUSALS_IN_A_ROW:
                    return False
                self.errors.append(error)
                self.open.discard(claim.storage_location_id)
                return True
        return False


@dataclass
class _Transfer:
    """One run's transfers: what is claimed, what is being copied, what waits to be catalogued."""

    facility: Facility
    instrument: Instrument
    run_id: uuid.UUID
    days: Collection[date] | None
    storages: dict[uuid.UUID, Storage]
    journals: JournalKeeper
    meter: Meter
    on_outcomes: Listener

    def __post_init__(self) -> None:
        self._report = HarvestReport()
        self._breaker = CircuitBreaker(self.storages)
        self._limits = limits_of(self.instrument)
        self._pace = Pace(self._limits.bytes_per_second)
        self._finished: list[Copied | Failed] = []
        self._since_last_batch = Interval(BATCH_SECONDS)
        self._committed: SimpleQueue[Committed] = SimpleQueue()
        self._committing = 0  # files that were handed over to be committed, and are not reported yet
        self._is_ended = False

    def run(self, progress: ProgressReports) -> HarvestReport:
        """Work until nothing is due any more, or nothing more can be done."""
        workers = CopyWorkers(
            self._limits.connections,
            lambda: self.facility.open_source(self.instrument),
            self.storages,
            self._slow_down_and_count,
            lambda: self._limits.opens_at(self.facility.now()) is None,
        )
        buffer = ClaimBuffer(self.facility, self.instrument, self.run_id, self.days, workers.queue)
        try:
            with BackgroundThread("commit") as committer:
                while self._has_work(buffer):
                    self._collect_finished(workers, buffer, committer)
                    self._commit_what_is_due(buffer, committer)
                    self._report_committed(buffer)
                    progress.report_if_due()
        except BaseException:
            self._is_ended = True
            raise
        finally:
            workers.close()
            buffer.give_back_all()
        self._report.troubles += self._breaker.errors
        return self._report

    def _slow_down_and_count(self, claim: Claim, number_of_bytes: int) -> None:
        if self._is_ended:  # the end of the run does not wait for a large file under way
            raise InterruptedError("the run was ended")
        self._pace.take(number_of_bytes)
        if is_large(claim):
            self.meter.read(claim.claim_id, number_of_bytes)

    def _has_work(self, buffer: ClaimBuffer) -> bool:
        """Claim as much as there is room for; False when all is done."""
        opening = self._limits.opens_at(self.facility.now())
        if opening is not None and not self._report.pause:
            self._report.pause = closed_until(opening)
            buffer.end()
        buffer.refill(self._breaker.open, self._committing)
        return bool(buffer.held or self._committing)

    def _collect_finished(self, workers: CopyWorkers, buffer: ClaimBuffer, committer: BackgroundThread) -> None:
        if not buffer.held:
            committer.wait()  # nothing is copied any more
            return
        finished = workers.finished(BATCH_SECONDS)
        self._finished += finished
        for each in finished:
            if isinstance(each, Failed):
                self._note_failure(buffer, each.claim, each.error)

    def _commit_what_is_due(self, buffer: ClaimBuffer, committer: BackgroundThread) -> None:
        is_all = len(self._finished) == len(buffer.held)
        is_due = len(self._finished) >= BATCH_FILES or self._since_last_batch.is_over or is_all
        if not self._finished or not is_due:
            return
        for finished in batches(self._finished):
            buffer.release(each.claim for each in finished)
            committer.do(self._commit, finished)
            self._committing += len(finished)
        self._finished.clear()
        self._since_last_batch.restart()

    def _commit(self, finished: Finished) -> None:
        self._committed.put(
            commit_batch(self.facility, self.instrument, self.run_id, finished, self.storages, self.journals)
        )

    def _report_committed(self, buffer: ClaimBuffer) -> None:
        while not self._committed.empty():
            committed = self._committed.get()
            self._committing -= len(committed.results)
            for refused in committed.refused:
                self._note_failure(buffer, refused.claim, refused.error)
            for result in committed.results:
                self.meter.done(result.claim.claim_id, result.claim.size_bytes)
                if not isinstance(result, Failed):
                    self._breaker.archived(result.claim)
            for outcome in committed.outcomes:
                self._report.add(outcome)
            self.on_outcomes(committed.outcomes)

    def _note_failure(self, buffer: ClaimBuffer, claim: Claim, error: StreamWeaveError) -> None:
        """Give back what a share or storage location that is out of order leaves impossible."""
        if not self._breaker.failed(claim, error):
            return
        if self._breaker.share_is_lost:
            buffer.end()
        else:
            buffer.withdraw(lambda waiting: waiting.storage_location_id not in self._breaker.open)
