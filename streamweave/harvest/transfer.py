"""Transfer: from claims to catalogued versions, many files at once.

Lanes copy side by side; this thread claims ahead of them (``supply``); a further one publishes and catalogues what they
finish, in batches.
No database session is open while bytes are copied. One bad file never stops the others; a share or a storage location
that is out of order stops what depends on it.

The supply of a run: what it claims ahead of those who copy, and what it still holds of that.

Troubles: what the failures of single files say about the share, and about the storage locations, as a whole.

The storage locations of one harvest: opened, found to be what they were, and swept of what dead runs left behind.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import partial

from streamweave.catalog.bulk import batches
from streamweave.catalog.tables import Instrument
from streamweave.errors import (
    CopyNotProven,
    PathUnusable,
    SourceError,
    SourceFileError,
    StorageError,
    StreamWeaveError,
)
from streamweave.facility import Facility
from streamweave.garbage import reduced_gc
from streamweave.harvest.background_writer import background_writer
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
from streamweave.harvest.commit_batch import CommitQueue, Committed, commit_batch
from streamweave.harvest.copy_verify import Copied, Finished, NotCopied
from streamweave.harvest.copy_workers import CopyWorkers
from streamweave.harvest.progress import Meter, ProgressListener, ProgressReports, due_work
from streamweave.harvest.rate_limit import Pace, closed_until, limits_of
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.harvest.version_state import Failed
from streamweave.harvest.work_queue import WorkQueue, is_large
from streamweave.journal.keeping import JournalKeeper, keep_journals
from streamweave.journal.readoption import readopt
from streamweave.storage.base import Storage
from streamweave.storage.leftovers import Leftovers, discard_leftovers, find_leftovers

CLAIMED_AT_ONCE = 2_000
CLAIMED_AT_MOST = 10_000
"""More is claimed when fewer than ``CLAIMED_AT_ONCE`` small files or no large one waits for a reader, up to so many."""


class ClaimBuffer:
    """Claims due transfers of an instrument, or of some acquisition days of it, and puts them on the agenda.

    ``held`` are the claims that nothing was handed over of yet, by their ids. What is still on an agenda that somebody
    has closed will not be begun: the next ``refill`` gives it back.
    """

    def __init__(
        self,
        facility: Facility,
        instrument: Instrument,
        run_id: uuid.UUID,
        days: Collection[date] | None,
        agenda: WorkQueue,
    ) -> None:
        self.held: dict[uuid.UUID, Claim] = {}
        self._facility = facility
        self._instrument = instrument
        self._run_id = run_id
        self._days = days
        self._agenda = agenda
        self._is_exhausted = False

    def refill(self, into: Collection[uuid.UUID], under_way: int) -> None:
        """Claim for these storage locations as much as there is room for.

        Once there was nothing more, what has become due meanwhile is asked for in the end only: when nothing is held,
        and of what was handed over nothing is ``under_way``.
        """
        if self._agenda.is_closed:
            self.withdraw()
        elif into and self._has_room(under_way):
            claims = claim_transfers(
                self._facility, self._instrument, self._run_id, into=into, limit=CLAIMED_AT_ONCE, days=self._days
            )
            self.held |= {claim.claim_id: claim for claim in claims}
            self._is_exhausted = len(claims) < CLAIMED_AT_ONCE
            self._agenda.add(claims)

    def _has_room(self, under_way: int) -> bool:
        if self._is_exhausted:
            return not self.held and not under_way
        small, large = self._agenda.waiting()
        return (small < CLAIMED_AT_ONCE or not large) and len(self.held) <= CLAIMED_AT_MOST - CLAIMED_AT_ONCE

    def hand_over(self, claims: Iterable[Claim]) -> None:
        """These are handed over: what becomes of them is somebody else's business."""
        for claim in claims:
            del self.held[claim.claim_id]

    def end(self) -> None:
        """Nothing more is begun. What is under way is finished: half a file is of no use."""
        self._agenda.close()
        self.withdraw()

    def withdraw(self, which: Callable[[Claim], bool] = lambda _: True) -> None:
        """Give back those that nobody has begun with."""
        claims = self._agenda.withdraw(which)
        if claims:
            give_back(self._facility, claims)
            self.hand_over(claims)

    def give_back_all(self) -> None:
        """Give everything back, be it begun or not: the run is over."""
        give_back(self._facility, self.held.values())


REFUSALS_IN_A_ROW = 3
"""So many storage errors without a success between them mean the location, not the file."""


class CircuitBreaker:
    """``open`` are the storage locations that work; ``errors`` are what closed the others, or the share."""

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
        """Learn from a failure; True when there is something less that can be done because of it."""
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


def open_destinations(
    facility: Facility,
    instrument: Instrument,
    days: Collection[date] | None,
    opened: Mapping[uuid.UUID, Storage],
) -> tuple[dict[uuid.UUID, Storage], list[StorageError]]:
    """The storage locations into which transfers are due, ready for writing; and what is wrong with the others.

    What their journals know and the catalog does not is taken in before anything is written to them, lest it come
    before what is written now. Those that the run has ``opened`` before are not put to the test again: many requests
    where they are far away.
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

    Of files from before each catalog staged apart only those that are known to be ours are removed.
    """
    leftovers = find_leftovers(storage, partial(staged_names_under_way, facility, storage_location_id))
    with facility.sessions() as session:
        ours = early_names_of_ours(session, leftovers.early)
    return discard_leftovers(storage, Leftovers(leftovers.own, sorted(ours)))


BATCH_FILES = 512
BATCH_SECONDS = 1.0
OTHERS_SECONDS = 1.0

Listener = Callable[[Sequence[FileOutcome]], None]


@reduced_gc()
def transfer_files(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    days: Collection[date] | None = None,
    on_outcomes: Listener = lambda outcomes: None,
    on_progress: ProgressListener = lambda progress: None,
) -> HarvestReport:
    """Archive every due version of an instrument, or of some acquisition days of it, as the run ``run_id``.

    ``on_outcomes`` hears of each batch once it is on record, ``on_progress`` at most once a second, and in the end.
    What stopped the work early is in the report's ``troubles``, or, when the instrument's hours were over, its
    ``pause``. Versions that another run holds are waited for: it archives them, or it has died and this one does.
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
            progress.tell_now()
        if report.troubles or report.pause or not others_at_work(facility, instrument, run_id, days):
            report.seconds = time.monotonic() - started
            return report
        facility.wait(OTHERS_SECONDS)


class _Transfer:
    """One run's transfers: what is claimed, what is being copied, what waits to be catalogued."""

    def __init__(
        self,
        facility: Facility,
        instrument: Instrument,
        run_id: uuid.UUID,
        days: Collection[date] | None,
        storages: dict[uuid.UUID, Storage],
        journals: JournalKeeper,
        meter: Meter,
        on_outcomes: Listener,
    ) -> None:
        self._report = HarvestReport()
        self._facility = facility
        self._instrument = instrument
        self._run_id = run_id
        self._days = days
        self._storages = storages
        self._troubles = CircuitBreaker(storages)
        self._meter = meter
        self._on_outcomes = on_outcomes
        self._limits = limits_of(instrument)
        self._pace = Pace(self._limits.bytes_per_second)
        self._journals = journals
        self._finished: list[Copied | NotCopied] = []
        self._last_batch = time.monotonic()
        self._is_ended = False

    def run(self, progress: ProgressReports) -> HarvestReport:
        """Work until nothing is due any more, or nothing more can be done."""
        lanes = CopyWorkers(
            self._limits.connections,
            lambda: self._facility.open_source(self._instrument),
            self._storages,
            self._slow_down_and_count,
            lambda: self._limits.opens_at(self._facility.now()) is None,
        )
        supply = ClaimBuffer(self._facility, self._instrument, self._run_id, self._days, lanes.agenda)
        try:
            with background_writer() as behind:
                arrivals = CommitQueue(behind, self._take_in)
                while self._keep_busy(supply, arrivals):
                    self._hear(lanes, supply, arrivals)
                    self._hand_over_what_is_due(supply, arrivals)
                    self._learn(supply, arrivals)
                    progress.tell()
        except BaseException:
            self._is_ended = True
            raise
        finally:
            lanes.close()
            supply.give_back_all()
        self._report.troubles += self._troubles.errors
        return self._report

    def _slow_down_and_count(self, claim: Claim, number_of_bytes: int) -> None:
        if self._is_ended:  # a large file under way must not hold up whoever ended the run
            raise InterruptedError("the run was ended")
        self._pace.take(number_of_bytes)
        if is_large(claim):
            self._meter.read(claim.claim_id, number_of_bytes)

    def _keep_busy(self, supply: ClaimBuffer, arrivals: CommitQueue) -> bool:
        """Claim as much as there is room for; False when all is done."""
        opening = self._limits.opens_at(self._facility.now())
        if opening is not None and not self._report.pause:
            self._report.pause = closed_until(opening)
            supply.end()
        supply.refill(self._troubles.open, arrivals.under_way)
        return bool(supply.held or arrivals.under_way)

    def _hear(self, lanes: CopyWorkers, supply: ClaimBuffer, arrivals: CommitQueue) -> None:
        """Remember what is finished next; what a failure says about share or storage is heeded at once."""
        if not supply.held:
            arrivals.wait()  # nothing is copied any more
            return
        finished = lanes.finished(BATCH_SECONDS)
        self._finished += finished
        for each in finished:
            if isinstance(each, NotCopied) and self._troubles.failed(each.claim, each.error):
                self._give_up_what_can_not_be_done(supply)

    def _hand_over_what_is_due(self, supply: ClaimBuffer, arrivals: CommitQueue) -> None:
        overdue = time.monotonic() - self._last_batch >= BATCH_SECONDS
        everything = len(self._finished) == len(supply.held)
        if not self._finished or not (len(self._finished) >= BATCH_FILES or overdue or everything):
            return
        for finished in batches(self._finished):
            supply.hand_over(each.claim for each in finished)
            arrivals.hand_over(finished)
        self._finished.clear()
        self._last_batch = time.monotonic()

    def _take_in(self, finished: Finished) -> Committed:
        return commit_batch(self._facility, self._instrument, self._run_id, finished, self._storages, self._journals)

    def _learn(self, supply: ClaimBuffer, arrivals: CommitQueue) -> None:
        """Tell of what has arrived; what a failure on the way says about a storage is heeded."""
        for arrived in arrivals.news():
            for refused in arrived.refused:
                if self._troubles.failed(refused.claim, refused.error):
                    self._give_up_what_can_not_be_done(supply)
            for result in arrived.results:
                self._meter.done(result.claim.claim_id, result.claim.size_bytes)
                if not isinstance(result, Failed):
                    self._troubles.archived(result.claim)
            for outcome in arrived.outcomes:
                self._report.add(outcome)
            self._on_outcomes(arrived.outcomes)

    def _give_up_what_can_not_be_done(self, supply: ClaimBuffer) -> None:
        if self._troubles.share_is_lost:
            supply.end()
        else:
            supply.withdraw(lambda claim: claim.storage_location_id not in self._troubles.open)
