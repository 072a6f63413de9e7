"""How far a complete re-reading is, told at most once a second."""

import time
from collections.abc import Callable, Sequence

from streamweave.fixity.quota import Holdings
from streamweave.fixity.report import SweepReport
from streamweave.fixity.rereading import ArchivedCopy
from streamweave.harvest.progress import Meter, Progress

SECONDS_BETWEEN = 1.0

Listener = Callable[[Progress], None]


class VerificationProgress:
    """Hears of bytes, from several threads, and of batches."""

    def __init__(self, on_progress: Listener, holdings: Holdings) -> None:
        self._on_progress = on_progress
        self._meter = Meter()
        self._meter.expect(holdings.files, holdings.size_bytes)
        self._told_at = time.monotonic()

    def bytes(self, copy: ArchivedCopy, number_of_bytes: int) -> None:
        """So many more were read of a copy."""
        self._meter.read(copy.transfer_id, number_of_bytes)
        self._tell()

    def batch(self, _: SweepReport, copies: Sequence[ArchivedCopy]) -> None:
        """These copies are done, and on record."""
        for copy in copies:
            self._meter.done(copy.transfer_id, copy.size_bytes)
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= SECONDS_BETWEEN:
            self._told_at = now
            self._on_progress(self._meter.progress())
