"""Troubles: what the failures of single files say about the share, and about the storage locations, as a whole."""

import uuid
from collections import Counter
from collections.abc import Iterable

from streamweave.errors import (
    CopyNotProven,
    PathUnusable,
    SourceError,
    SourceFileError,
    StorageError,
    StreamWeaveError,
)
from streamweave.harvest.claims import Claim

REFUSALS_IN_A_ROW = 3
"""So many storage errors without a success between them mean the location, not the file."""


class Troubles:
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
