"""Re-reading: an archived copy is read again, all of it, and held against what the catalog says."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from streamweave.catalog.tables import FixityOutcome
from streamweave.errors import StorageError
from streamweave.harvest.copy_verify import digest_of
from streamweave.storage.base import Storage

MISSING = "it is no longer there"

ByteListener = Callable[["ArchivedCopy", int], None]


@dataclass(frozen=True, slots=True)
class ArchivedCopy:
    """A copy of a version, as the catalog knows it. ``last_verified_at`` is UTC."""

    transfer_id: uuid.UUID
    file_id: uuid.UUID
    destination_path: str
    source_path: str
    size_bytes: int
    sha256: str
    last_verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a copy found; ``found`` says what is wrong, and is None for an intact copy."""

    copy: ArchivedCopy
    outcome: FixityOutcome
    found: str | None = None


Examination = Callable[[Storage, ArchivedCopy, ByteListener], Finding]
"""Looks at a copy. Raises a ``StorageError`` when nothing can be said about it, or when it is not there."""


def read_whole(storage: Storage, copy: ArchivedCopy, on_bytes: ByteListener) -> Finding:
    """Read all of it, from the device where that can be asked for, and compare size and SHA-256."""
    found = digest_of(_heard(storage.read(copy.destination_path, uncached=True), copy, on_bytes))
    if (found.size_bytes, found.sha256) == (copy.size_bytes, copy.sha256):
        return Finding(copy, FixityOutcome.INTACT)
    return Finding(
        copy,
        FixityOutcome.DAMAGED,
        f"{found.size_bytes} bytes with SHA-256 {found.sha256}; "
        f"archived were {copy.size_bytes} bytes with SHA-256 {copy.sha256}",
    )


def read_the_end(storage: Storage, copy: ArchivedCopy, _: ByteListener) -> Finding:
    """Read its last byte, and whether another follows: that it stands there, and is as long as it was."""
    last = max(copy.size_bytes - 1, 0)
    pieces = storage.read(copy.destination_path, last)
    try:
        size = last + len(next(pieces, b""))
    finally:
        pieces.close()
    if size == copy.size_bytes:
        return Finding(copy, FixityOutcome.INTACT)
    told = "more" if size > copy.size_bytes else "fewer"
    return Finding(copy, FixityOutcome.DAMAGED, f"it has {told} than the {copy.size_bytes} bytes that were archived")


def look(storage: Storage, copy: ArchivedCopy, examine: Examination, on_bytes: ByteListener) -> Finding:
    """What an examination finds, or that nothing stands there though its location does.

    Raises a ``StorageError`` when nothing can be said about it at present.
    """
    try:
        return examine(storage, copy, on_bytes)
    except StorageError:
        if storage.exists(copy.destination_path):
            raise
    return Finding(copy, FixityOutcome.MISSING, MISSING)


def _heard(pieces: Iterator[bytes], copy: ArchivedCopy, on_bytes: ByteListener) -> Iterator[bytes]:
    for piece in pieces:
        on_bytes(copy, len(piece))
        yield piece
