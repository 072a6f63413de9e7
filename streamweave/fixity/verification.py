"""Verification: a storage location and the catalog are compared completely, both ways.

Every row's bytes are re-read, and go on record as re-readings do; everything that stands there must have its row.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, FixityOutcome, StorageLocation, Transfer, TransferStatus
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.fixity.damage import is_repaired
from streamweave.fixity.glances import look_at_all
from streamweave.fixity.progress import Listener, VerificationProgress
from streamweave.fixity.report import SweepReport
from streamweave.fixity.strays import leftovers, stray_paths
from streamweave.fixity.sweeping import sweep_completely
from streamweave.fixity.turns import holdings_of
from streamweave.journal.conflicts import Conflicts, recent_conflicts
from streamweave.journal.readoption import readopt
from streamweave.storage.base import Storage

NAMED_FINDINGS = 1_000
"""So many of each kind are named; all of them are counted."""


class FindingKind(StrEnum):
    """How archive and catalog differ."""

    DAMAGED = "damaged"  # other bytes than were archived
    MISSING = "missing"  # a row without bytes
    UNREADABLE = "unreadable"
    UNREPAIRED = "unrepaired"  # damage that was concluded earlier, and has no intact copy beside it
    STRAY = "stray"  # bytes without a row
    LEFTOVER = "leftover"  # a staged file of no transfer under way


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them. ``address`` is a place for a person; a file without a row has no ``source_path``."""

    kind: FindingKind
    address: str
    source_path: str | None = None
    found: str = ""


@dataclass(slots=True)
class VerificationReport:
    """What became of one location. With a ``trouble`` it could not be compared to the end.

    ``journal_conflicts`` are what its journals and the catalog said differently when they were last read.
    ``notice`` is what the person who runs the host should know of its place; it makes no difference.
    """

    location: str
    files: int = 0
    bytes: int = 0
    counts: Counter[FindingKind] = field(default_factory=Counter)
    named: list[Difference] = field(default_factory=list)
    held: str = ""
    journal_conflicts: Conflicts | None = None
    notice: str = ""
    trouble: StorageError | None = None

    def add(self, difference: Difference) -> None:
        """Count it, and name it while there is room."""
        self.counts[difference.kind] += 1
        if self.counts[difference.kind] <= NAMED_FINDINGS:
            self.named.append(difference)


def verify_location(
    facility: Facility,
    location: StorageLocation,
    *,
    quick: bool = False,
    on_progress: Listener = lambda progress: None,
) -> VerificationReport:
    """Compare a storage location with the catalog.

    What the location's journals know and the catalog does not is taken into the catalog first. ``quick`` looks whether
    each copy stands there and is as long as it was, without reading all of it; then nothing goes on record. Strays are
    only told of: a harvest under way may be bringing some.
    """
    report = VerificationReport(location.name, notice=facility.storage_notice(location) or "")
    try:
        storage = facility.open_marked(location)
        readopt(facility, location, storage, of_all_days=True)
        for difference in _without_rows(facility, location, storage):
            report.add(difference)
    except StorageError as error:
        report.trouble = error
        return report
    with facility.sessions() as session:
        report.journal_conflicts = recent_conflicts(session, facility.now()).get(location.id)
        progress = VerificationProgress(on_progress, holdings_of(session, location.id))
    _take_in(report, _read(facility, location, progress, quick=quick))
    with facility.sessions() as session:
        for difference in _unrepaired(session, location, storage):
            report.add(difference)
    return report


def _without_rows(facility: Facility, location: StorageLocation, storage: Storage) -> Iterator[Difference]:
    for path in stray_paths(facility, location.id, storage):
        yield Difference(FindingKind.STRAY, storage.address(path))
    for name in leftovers(facility, location.id, storage):
        yield Difference(FindingKind.LEFTOVER, f"{location.base_path}: staged as {name}")


def _read(facility: Facility, location: StorageLocation, progress: VerificationProgress, *, quick: bool) -> SweepReport:
    if quick:
        return look_at_all(facility, location, progress)
    return sweep_completely(facility, location, on_batch=progress.batch, on_bytes=progress.bytes)


def _take_in(report: VerificationReport, swept: SweepReport) -> None:
    report.files, report.bytes = swept.files, swept.bytes
    report.trouble, report.held = swept.trouble, swept.held
    for damage in swept.damaged:
        report.add(Difference(FindingKind(damage.outcome), damage.address, damage.source_path, damage.found))
    for outcome in FixityOutcome:
        if outcome != FixityOutcome.INTACT:
            report.counts[FindingKind(outcome)] = swept.counts[outcome]


def _unrepaired(session: Session, location: StorageLocation, storage: Storage) -> Iterator[Difference]:
    rows = session.execute(
        select(Transfer.destination_path, FileRecord.source_path, func.coalesce(Transfer.damage, ""))
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(
            Transfer.storage_location_id == location.id,
            Transfer.status == TransferStatus.DAMAGED,
            ~is_repaired(),
        )
        .order_by(Transfer.id)
    )
    for path, source_path, damage in rows:
        yield Difference(FindingKind.UNREPAIRED, storage.address(path or ""), source_path, damage)
