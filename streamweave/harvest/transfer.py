"""Transfer: from claims to catalogued versions, many files at once.

Lanes copy side by side; this thread claims ahead of them (``supply``); a further one publishes and catalogues what they
finish, in batches.
No database session is open while bytes are copied. One bad file never stops the others; a share or a storage location
that is out of order stops what depends on it.
"""

import time
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import date

from streamweave.catalog.bulk import batches
from streamweave.catalog.tables import Instrument
from streamweave.facility import Facility
from streamweave.garbage import seldom_sought
from streamweave.harvest.agenda import is_large
from streamweave.harvest.arrival import Arrivals, Arrived, take_in
from streamweave.harvest.claims import Claim, free_claims_of_dead_runs, others_at_work
from streamweave.harvest.copying import Copied, Finished, NotCopied
from streamweave.harvest.destinations import open_destinations
from streamweave.harvest.lanes import Lanes
from streamweave.harvest.limits import Pace, closed_until, limits_of
from streamweave.harvest.progress import Meter
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.harvest.results import Failed
from streamweave.harvest.supply import Supply
from streamweave.harvest.troubles import Troubles
from streamweave.harvest.workload import ProgressListener, ProgressReports, due_work
from streamweave.harvest.write_behind import writing_behind
from streamweave.journal.keeping import JournalKeeper, keep_journals
from streamweave.storage.base import Storage

BATCH_FILES = 512
BATCH_SECONDS = 1.0
OTHERS_SECONDS = 1.0

Listener = Callable[[Sequence[FileOutcome]], None]


@seldom_sought()
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
        journals = keep_journals(session, instrument, run_id, facility.now)
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
        self._troubles = Troubles(storages)
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
        lanes = Lanes(
            self._limits.connections,
            lambda: self._facility.open_source(self._instrument),
            self._storages,
            self._slow_down_and_count,
            lambda: self._limits.opens_at(self._facility.now()) is None,
        )
        supply = Supply(self._facility, self._instrument, self._run_id, self._days, lanes.agenda)
        try:
            with writing_behind() as behind:
                arrivals = Arrivals(behind, self._take_in)
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

    def _keep_busy(self, supply: Supply, arrivals: Arrivals) -> bool:
        """Claim as much as there is room for; False when all is done."""
        opening = self._limits.opens_at(self._facility.now())
        if opening is not None and not self._report.pause:
            self._report.pause = closed_until(opening)
            supply.end()
        supply.refill(self._troubles.open, arrivals.under_way)
        return bool(supply.held or arrivals.under_way)

    def _hear(self, lanes: Lanes, supply: Supply, arrivals: Arrivals) -> None:
        """Remember what is finished next; what a failure says about share or storage is heeded at once."""
        if not supply.held:
            arrivals.wait()  # nothing is copied any more
            return
        finished = lanes.finished(BATCH_SECONDS)
        self._finished += finished
        for each in finished:
            if isinstance(each, NotCopied) and self._troubles.failed(each.claim, each.error):
                self._give_up_what_can_not_be_done(supply)

    def _hand_over_what_is_due(self, supply: Supply, arrivals: Arrivals) -> None:
        overdue = time.monotonic() - self._last_batch >= BATCH_SECONDS
        everything = len(self._finished) == len(supply.held)
        if not self._finished or not (len(self._finished) >= BATCH_FILES or overdue or everything):
            return
        for finished in batches(self._finished):
            supply.hand_over(each.claim for each in finished)
            arrivals.hand_over(finished)
        self._finished.clear()
        self._last_batch = time.monotonic()

    def _take_in(self, finished: Finished) -> Arrived:
        return take_in(self._facility, self._instrument, self._run_id, finished, self._storages, self._journals)

    def _learn(self, supply: Supply, arrivals: Arrivals) -> None:
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

    def _give_up_what_can_not_be_done(self, supply: Supply) -> None:
        if self._troubles.share_is_lost:
            supply.end()
        else:
            supply.withdraw(lambda claim: claim.storage_location_id not in self._troubles.open)
