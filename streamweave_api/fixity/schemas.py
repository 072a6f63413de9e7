"""The bodies of what re-readings found. Times are in UTC."""

from datetime import datetime
from uuid import UUID

from streamweave_api.bodies import Outgoing


class FixityCheckBody(Outgoing):
    """One re-reading of one copy.

    ``outcome`` is ``intact``, ``damaged``, ``missing`` or ``unreadable``; ``found`` says what is wrong.
    """

    id: UUID
    file_id: UUID
    transfer_id: UUID
    storage_location_id: UUID
    sweep_id: UUID
    checked_at: datetime
    outcome: str
    found: str | None


class FixityStandingBody(Outgoing):
    """An instrument's archived copies: how long ago the longest unread one was proven, and how many should have been.

    ``damaged`` counts the copies that are damaged and not repaired.
    """

    copies: int
    oldest_reread_at: datetime | None
    overdue: int
    damaged: int


class DamagedCopyBody(Outgoing):
    """A copy that was found damaged. ``destination_path`` is the full path; what stands there is left as it is.

    While its transfer's ``status`` is ``completed``, nothing is concluded yet. ``repaired_by`` is the transfer whose
    copy has taken its place.
    """

    transfer_id: UUID
    file_id: UUID
    version_id: UUID
    instrument_id: UUID
    storage_location_id: UUID
    source_path: str
    destination_path: str
    status: str
    damage: str
    damage_found_at: datetime | None
    last_verified_at: datetime | None
    repaired_by: UUID | None


class FixitySweepBody(Outgoing):
    """A process that re-reads a storage location. Without ``finished_at`` it is under way, or was killed.

    ``damaged`` counts the damaged, missing and unreadable copies among the ``files``.
    """

    id: UUID
    storage_location_id: UUID
    kind: str
    dagster_run_id: str | None
    started_at: datetime
    finished_at: datetime | None
    files: int
    bytes: int
    damaged: int
    trouble: str | None


class FixityHoldBody(Outgoing):
    """So much was damaged at once that nothing is repaired in this storage location until a person releases it."""

    id: UUID
    storage_location_id: UUID
    sweep_id: UUID
    held_at: datetime
    because: str
    released_at: datetime | None
    released_by_id: UUID | None
