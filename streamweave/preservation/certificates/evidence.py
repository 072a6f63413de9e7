"""What a certificate rests on: values that were read from the catalog, or from the bytes themselves. Times are UTC."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from streamweave.errors import StorageError, StorageUnavailable
from streamweave.storage.base import CopyStat

CopyFound = CopyStat | StorageError | None
"""What exists at the place of a copy now: a file, nothing (None), or why that is not known, or no file."""
NOT_ASKED = StorageUnavailable("it was not asked for")


@dataclass(frozen=True, slots=True)
class LocationEvidence:
    """A storage location that files are meant for. ``held`` is why nothing found there is marked damaged."""

    id: uuid.UUID
    name: str
    is_open: bool
    """Enabled, and not deleted."""
    held: str | None = None


@dataclass(frozen=True, slots=True)
class LastScan:
    """The last complete scan of a share. Each folder was listed at some time between ``covers_since`` and ``ended_at``.

    ``unlisted`` are folders that could not be listed, each with its reason; of ``unlisted_count`` in all, the first
    ones by name.
    """

    scan_id: uuid.UUID
    covers_since: datetime
    ended_at: datetime
    address: str | None
    unlisted: Mapping[str, str]
    unlisted_count: int

    @property
    def names_all_unlisted(self) -> bool:
        """Whether it is known which folders could not be listed."""
        return self.unlisted_count == len(self.unlisted)

    def hides(self, folder: str) -> str | None:
        """The folder that could not be listed and that is ``folder``, or holds it."""
        return next((each for each in self.unlisted if is_at_or_below(folder, each)), None)

    def unlisted_within(self, path: str | None) -> tuple[str, ...]:
        """The folders that could not be listed at, below or above a path; all of them for None."""
        if path is None:
            return tuple(self.unlisted)
        return tuple(each for each in self.unlisted if is_at_or_below(each, path) or is_at_or_below(path, each))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a storage location can't be relied on now: it is not the marked place, or it can't be reached."""

    is_other_place: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for all files of an instrument at one moment.

    ``address`` is where its files are now, written like a scan's. ``doubted_at`` is when a later scan began whose
    listing was implausible. ``copies`` is what was found in the archive, by transfer; ``troubles`` are those
    of storage locations, by their ids.
    """

    now: datetime
    address: str
    last_scan: LastScan | None
    doubted_at: datetime | None
    destinations: tuple[LocationEvidence, ...]
    copies: Mapping[uuid.UUID, CopyFound] = field(default_factory=dict)
    troubles: Mapping[uuid.UUID, Trouble] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reread:
    """The result of reading a source again now: its size and SHA-256, or the error."""

    at: datetime
    size_bytes: int = 0
    sha256: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CopyEvidence:
    """A copy of the newest version's content in a storage location, as its transfer proved it.

    ``planned_at`` is when the filter decided for it, ``claimed_at`` when the run took it on, ``catalogued_at`` when its
    proof went on record: in between it was read from the source, read back from the storage, and compared.
    A copy that came with a disk and its journals was proven elsewhere: it has no ``xxhash_read_back``, and no
    ``last_reread_at`` before a sweep has read it.
    ``source_mtime`` is that of the version it was made for, which is an earlier one if the file was only touched since.
    ``not_reread`` is why it could not be re-read now, though that was asked for.
    """

    transfer_id: uuid.UUID
    place: LocationEvidence
    path: str
    is_completed: bool
    is_verified: bool
    size_bytes: int | None
    xxhash_read: str | None
    xxhash_read_back: str | None
    planned_at: datetime
    claimed_at: datetime | None
    catalogued_at: datetime | None
    last_reread_at: datetime | None
    damage: str | None
    run_id: uuid.UUID | None
    dagster_run_id: str | None
    source_mtime: datetime
    not_reread: str | None = None


@dataclass(frozen=True, slots=True)
class FileEvidence:
    """One file: its newest version, and every copy of that version's content.

    ``back_at`` is when it was found again after it had been gone. ``seen_at`` is the first scan that saw this version,
    ``quiet_since`` the first with its present size and mtime, ``observed_at`` the last one before it settled.
    ``unfinished`` is why its content was archived though the instrument may not have finished it, be it as an earlier
    version. ``source_reread_at`` is when the source was last to be read again, ``source_verified_at`` when it was, and
    was identical.
    """

    file_id: uuid.UUID
    source_path: str
    folder: str
    persistent_id: str
    gone_at: datetime | None
    back_at: datetime | None
    number: int
    size_bytes: int
    source_mtime: datetime
    state: str
    reason: str
    state_since: datetime
    seen_at: datetime
    quiet_since: datetime
    observed_at: datetime
    xxhash: str | None
    sha256: str | None
    is_redirected: bool
    clock_skew_seconds: float | None
    enrichment_error: str | None
    unfinished: str | None = None
    source_reread_at: datetime | None = None
    source_verified_at: datetime | None = None
    copies: tuple[CopyEvidence, ...] = ()
    reread: Reread | None = None


def is_at_or_below(path: str, folder: str) -> bool:
    """Whether a path is ``folder``, or lies in it at any depth."""
    return path == folder or path.startswith(f"{folder}/")
