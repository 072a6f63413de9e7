"""Transfer: from claims to catalogued versions, many files at once.

Workers copy side by side; this thread publishes and catalogues what they finish, in batches. No database session is
open while bytes are copied. One bad file never stops the others; a share or a storage location that is out of order
stops what depends on it.
"""

import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import date

from streamweave.catalog.tables import Instrument
from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    SourceError,
    SourceFileError,
    StorageError,
    StreamWeaveError,
)
from streamweave.facility import Facility
from streamweave.harvest.arrival import take_in
from streamweave.harvest.cataloguing import Failed
from streamweave.harvest.claims import Claim, claim_transfers, free_claims_of_dead_runs, give_back, others_at_work
from streamweave.harvest.destinations import open_destinations
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.harvest.workers import Copied, NotCopied, Workers
from streamweave.storage.base import Storage

DEFAULT_CONNECTIONS = 4
CLAIMED_AHEAD = 64
BATCH_FILES = 64
BATCH_SECONDS = 1.0
OTHERS_SECONDS = 1.0
REFUSALS_IN_A_ROW = 3
"""So many storage errors without a success between them mean the location, not the file."""

Listener = Callable[[Sequence[FileOutcome]], None]


def transfer_files(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    days: Collection[date] | None = None,
    on_outcomes: Listener = lambda outcomes: None,
) -> HarvestReport:
    """Archive every due version of an instrument, or of some acquisition days of it, as the run ``run_id``.

    ``on_outcomes`` hears of each batch once it is on record. What stopped the work early is in the report's
    ``troubles``. Versions that another run holds are waited for: it archives them, or it has died and this one does.
    """
    started = time.monotonic()
    report = HarvestReport()
    while True:
        free_claims_of_dead_runs(facility, instrument)
        storages, troubles = open_destinations(facility, instrument, days)
        report.troubles += troubles
        if storages:
            report.include(_Transfer(facility, instrument, run_id, days, storages, on_outcomes).run())
        if report.troubles or not others_at_work(facility, instrument, run_id, days):
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
        on_outcomes: Listener,
    ) -> None:
        self._report = HarvestReport()
        self._facility = facility
        self._instrument = instrument
        self._run_id = run_id
        self._days = days
        self._storages = storages
        self._open = set(storages)
        self._on_outcomes = on_outcomes
        self._connections = int((instrument.transfer_config or {}).get("connections", DEFAULT_CONNECTIONS))
        self._claimed: deque[Claim] = deque()
        self._copying: set[Future[Copied | NotCopied]] = set()
        self._finished: list[Copied | NotCopied] = []
        self._refusals: Counter[uuid.UUID] = Counter()
        self._share_is_lost = False

    def run(self) -> HarvestReport:
        """Work until nothing is due any more, or nothing more can be done."""
        workers = Workers(self._connections, lambda: self._facility.open_source(self._instrument))
        last_batch = time.monotonic()
        try:
            while self._keep_busy(workers):
                done, self._copying = wait(self._copying, BATCH_SECONDS, FIRST_COMPLETED)
                self._hear([future.result() for future in done])
                if self._is_batch_due(last_batch):
                    self._take_in_finished()
                    last_batch = time.monotonic()
        finally:
            workers.close()
            give_back(self._facility, self._claimed)
        return self._report

    def _keep_busy(self, workers: Workers) -> bool:
        """Claim and start as much as there is room for; False when all is done."""
        while len(self._copying) < 2 * self._connections and (claim := self._next_claim()):
            self._copying.add(workers.start(claim, self._storages[claim.storage_location_id]))
        return bool(self._copying or self._finished)

    def _next_claim(self) -> Claim | None:
        if self._share_is_lost or not self._open:
            return None
        if not self._claimed:
            self._claimed.extend(self._claim_more())
        return self._claimed.popleft() if self._claimed else None

    def _claim_more(self) -> list[Claim]:
        return claim_transfers(
            self._facility,
            self._instrument,
            self._run_id,
            into=self._open,
            limit=CLAIMED_AHEAD,
            days=self._days,
        )

    def _is_batch_due(self, last_batch: float) -> bool:
        overdue = time.monotonic() - last_batch >= BATCH_SECONDS
        return bool(self._finished) and (len(self._finished) >= BATCH_FILES or overdue or not self._copying)

    def _hear(self, finished: Sequence[Copied | NotCopied]) -> None:
        """Remember what is finished; what a failure says about share or storage is heeded at once."""
        self._finished += finished
        for each in finished:
            if isinstance(each, NotCopied):
                self._heed(each.claim, each.error)

    def _take_in_finished(self) -> None:
        copied = {each.claim.claim_id for each in self._finished if isinstance(each, Copied)}
        finished, self._finished = self._finished, []
        results, outcomes = take_in(self._facility, self._instrument, self._run_id, finished, self._storages)
        for result in results:
            if isinstance(result, Failed) and result.claim.claim_id in copied:
                self._heed(result.claim, result.error)
            elif not isinstance(result, Failed):
                self._refusals[result.claim.storage_location_id] = 0
        for outcome in outcomes:
            self._report.add(outcome)
        self._on_outcomes(outcomes)

    def _heed(self, claim: Claim, error: StreamWeaveError) -> None:
        """Learn from a failure what it says about the share and the storage location as a whole."""
        match error:
            case SourceFileError() | DestinationOccupied() | CopyNotProven():
                return
            case SourceError():
                if not self._share_is_lost:
                    self._report.troubles.append(error)
                self._share_is_lost = True
            case StorageError():
                self._refusals[claim.storage_location_id] += 1
                if self._refusals[claim.storage_location_id] == REFUSALS_IN_A_ROW:
                    self._close_location(claim.storage_location_id, error)

    def _close_location(self, location_id: uuid.UUID, error: StorageError) -> None:
        self._report.troubles.append(error)
        self._open.discard(location_id)
        lost = [claim for claim in self._claimed if claim.storage_location_id == location_id]
        self._claimed = deque(claim for claim in self._claimed if claim.storage_location_id != location_id)
        give_back(self._facility, lost)
