"""The quota: how much of a storage location is re-read in one night. Pure.

Work is counted in bytes, a file costing some more than it has. Each night takes an even share of all there is, the
longest unread first: what was archived on one day, were it a million files, is spread over the nights that follow. A
copy whose time is nearly over is read whatever else was read; so nights that were missed are made up for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from streamweave.fixity.rereading import ArchivedCopy
from streamweave.harvest.progress import FILE_COSTS_BYTES

INTERVAL = timedelta(days=90)
"""Every copy is re-read at least so often: an interval that NDSA's levels of preservation know from practice."""
SPREAD_NIGHTS = 80
"""An even share is one of so many: ten nights of an interval may be missed before anything is late."""
SHORTLY = timedelta(days=3)
"""A copy is due so long before its interval is over."""
LEAST_WORK = 1 << 30
"""A share is never smaller: small archives are re-read more often, which costs minutes."""
LONGEST_NIGHT = timedelta(hours=20)
"""A sweep ends after so long, so that the next night's finds none under way."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a storage location holds: how many copies, and how many bytes they come to."""

    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Quota:
    """One night's. ``work`` is an even share; what was last read before ``due_before`` is read in any case."""

    work: int
    due_before: datetime

    def taken(self, copies: Sequence[ArchivedCopy], work_done: int) -> list[ArchivedCopy]:
        """The first of these copies, which are in turn, as far as the quota goes after what was done."""
        taken = []
        for copy in copies:
            if work_done >= self.work and not self._is_due(copy):
                break
            taken.append(copy)
            work_done += work_of(1, copy.size_bytes)
        return taken

    def _is_due(self, copy: ArchivedCopy) -> bool:
        return copy.last_verified_at is None or copy.last_verified_at < self.due_before


def quota_of(holdings: Holdings, now: datetime) -> Quota:
    """Tonight's quota."""
    share = -(-work_of(holdings.files, holdings.size_bytes) // SPREAD_NIGHTS)
    return Quota(max(share, LEAST_WORK), now - INTERVAL + SHORTLY)


def within(copies: Sequence[ArchivedCopy], size_bytes: int) -> list[ArchivedCopy]:
    """The first of these copies that come to so many bytes, or to more with the last of them."""
    read_before = accumulate((copy.size_bytes for copy in copies), initial=0)
    return [copy for copy, before in zip(copies, read_before, strict=False) if before < size_bytes]


def work_of(files: int, size_bytes: int) -> int:
    """How much it is to read so many files of so many bytes in all."""
    return files * FILE_COSTS_BYTES + size_bytes
