"""Fixity: archived bytes are read again, and must still be what the catalog says they are.

The damaged come first, so that a repair shows, then the least recently verified: however small the budget, each has
its turn.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, StorageLocation, Transfer, TransferStatus
from streamweave.errors import StorageError, StorageUnavailable
from streamweave.facility import Facility
from streamweave.harvest.copying import digest_of
from streamweave.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Damage:
    """An archived copy that is not what it was. ``address`` is where it is, or should be."""

    source_path: str
    address: str
    what: str


@dataclass(slots=True)
class FixityReport:
    """What was re-read. ``troubles`` are places that could not be read: nothing is known about the bytes there."""

    files: int = 0
    bytes: int = 0
    damaged: list[Damage] = field(default_factory=list)
    troubles: list[StorageError] = field(default_factory=list)

    def sentence(self) -> str:
        """The outcome for a person."""
        told = f"{self.files} files ({self.bytes} bytes) re-read, {len(self.damaged)} damaged"
        return f"{told}; {'; '.join(map(str, self.troubles))}" if self.troubles else told


@dataclass(frozen=True, slots=True)
class _Copy:
    transfer_id: uuid.UUID
    storage_location_id: uuid.UUID
    destination_path: str
    source_path: str
    size_bytes: int
    sha256: str


def verify_archived(facility: Facility, instrument: Instrument, *, max_bytes: int, max_files: int) -> FixityReport:
    """Re-read archived copies of an instrument's files, in all storage locations, until the budget is used up.

    At least one file is read, however large it is. What was found is on record with each transfer. A location that is
    not there is among the report's ``troubles`` and damages nothing; so is one that fails in the middle of a file. A
    file that is there and that we are refused is damaged.
    """
    with facility.sessions() as session:
        copies = _in_turn(session, instrument, max_bytes, max_files)
        locations = session.scalars(select(StorageLocation)).all()
    report = FixityReport()
    for location in locations:
        try:
            storage = facility.open_storage(location)
            for copy in copies:
                if copy.storage_location_id == location.id:
                    _verify(facility, storage, copy, report)
        except StorageError as error:
            report.troubles.append(error)
    return report


def _in_turn(session: Session, instrument: Instrument, max_bytes: int, max_files: int) -> list[_Copy]:
    rows = session.execute(
        select(
            Transfer.id,
            Transfer.storage_location_id,
            Transfer.destination_path,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.sha256,
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(Transfer.instrument_id == instrument.id, Transfer.status == TransferStatus.COMPLETED)
        .order_by(Transfer.damage.is_(None), Transfer.last_verified_at.asc().nulls_first(), Transfer.id)
        .limit(max_files)
    )
    copies = [_Copy(*row) for row in rows]
    read_before = accumulate((copy.size_bytes for copy in copies), initial=0)
    return [copy for copy, before in zip(copies, read_before, strict=False) if before == 0 or before < max_bytes]


def _verify(facility: Facility, storage: Storage, copy: _Copy, report: FixityReport) -> None:
    """Raises a ``StorageError`` when the location as a whole is not there."""
    stands = storage.exists(copy.destination_path)
    try:
        what = _fault(storage, copy) if stands else "it is no longer there"
    except StorageUnavailable as error:  # the location may be gone, which the next file tells; this one may be intact
        report.troubles.append(error)
        return
    with facility.sessions.begin() as session:
        session.execute(
            update(Transfer).where(Transfer.id == copy.transfer_id).values(last_verified_at=facility.now(), damage=what)
        )
    report.files += 1
    report.bytes += copy.size_bytes
    if what is not None:
        report.damaged.append(Damage(copy.source_path, storage.address(copy.destination_path), what))


def _fault(storage: Storage, copy: _Copy) -> str | None:
    """What is wrong with a copy that stands there. Raises ``StorageUnavailable`` when nothing can be said about it."""
    try:
        found = digest_of(storage.read(copy.destination_path))
    except StorageUnavailable:
        raise
    except StorageError as error:
        return f"it can't be read: {error}"
    if (found.size_bytes, found.sha256) == (copy.size_bytes, copy.sha256):
        return None
    return (
        f"{found.size_bytes} bytes with SHA-256 {found.sha256}; "
        f"archived were {copy.size_bytes} bytes with SHA-256 {copy.sha256}"
    )


def known_damage(session: Session, instrument: Instrument, limit: int = 100) -> Sequence[tuple[str, str]]:
    """Source path and finding of the copies that the last re-reading found damaged, and that are not repaired yet."""
    rows = session.execute(
        select(FileRecord.source_path, func.coalesce(Transfer.damage, ""))
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(
            Transfer.instrument_id == instrument.id,
            Transfer.status == TransferStatus.COMPLETED,
            Transfer.damage.is_not(None),
        )
        .order_by(Transfer.last_verified_at)
        .limit(limit)
    )
    return [row._tuple() for row in rows]
