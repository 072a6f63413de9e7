"""Verification: a storage location and the catalog are compared completely, both ways.

Every copy that the catalog knows is re-read, and the results go on record as those of sweeps do; a quick verification
reads only the end of each, and records nothing. Everything that exists at the location must have its row: what has none
is an orphan.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID

from sqlalchemy import Text, column, func, select, table, text
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FixityOutcome,
    StorageLocation,
    Transfer,
    TransferStatus,
)
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.harvest.claims import staged_names_under_way
from streamweave.harvest.progress import Interval, Meter, ProgressListener
from streamweave.journal.readoption import Conflicts, readopt, recent_conflicts
from streamweave.preservation.damage import is_repaired
from streamweave.preservation.report import SweepReport
from streamweave.preservation.reread import (
    ArchivedCopy,
    CopyChecker,
    Holdings,
    check_size,
    copies_by_id,
    holdings_of,
    other_copies,
)
from streamweave.preservation.sweep import BATCH_FILES, sweep_completely
from streamweave.storage.base import Storage, find_leftovers

END = b"\0"  # no path holds it
CHUNK_BYTES = 1 << 20
KNOWN = (*ONCE_COMPLETED, TransferStatus.PENDING, TransferStatus.IN_PROGRESS)
"""Of transfers that wait or are under way the bytes may exist already: their next run takes them over."""

_LISTED = table("listed_paths", column("path", Text))
NAMED_FINDINGS = 1_000
"""So many of each kind are named; all of them are counted."""


SECONDS_BETWEEN = 1.0
"""Between two reports of progress, at least."""


class FindingKind(StrEnum):
    """How archive and catalog differ."""

    DAMAGED = "damaged"  # other bytes than were archived
    MISSING = "missing"  # a row without bytes
    UNREADABLE = "unreadable"
    UNREPAIRED = "unrepaired"  # marked damaged earlier, and not replaced by an intact copy
    ORPHAN = "stray"  # bytes without a row; the word is that of the JSON report
    LEFTOVER = "leftover"  # a staged file of no transfer under way


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them. ``address`` is its full path; a file without a row has no ``source_path``."""

    kind: FindingKind
    address: str
    source_path: str | None = None
    found: str = ""


@dataclass(slots=True)
class VerificationReport:
    """The result for one location. With a ``trouble`` it could not be compared to the end.

    ``journal_conflicts`` are where its journals and the catalog differed when they were last read. ``notice`` is what
    the person who runs the host should know of its place; it is no difference.
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


class VerificationProgress:
    """Reports how far a complete re-reading is, at most once a second."""

    def __init__(self, on_progress: ProgressListener, holdings: Holdings) -> None:
        self._on_progress = on_progress
        self._meter = Meter()
        self._meter.expect(holdings.files, holdings.size_bytes)
        self._interval = Interval(SECONDS_BETWEEN)

    def bytes(self, copy: ArchivedCopy, number_of_bytes: int) -> None:
        """So many more were read of a copy. Called from several threads."""
        self._meter.read(copy.transfer_id, number_of_bytes)
        self._report()

    def batch(self, _: SweepReport, copies: Sequence[ArchivedCopy]) -> None:
        """These copies are done, and on record."""
        for copy in copies:
            self._meter.done(copy.transfer_id, copy.size_bytes)
        self._report()

    def _report(self) -> None:
        if self._interval.is_over:
            self._interval.restart()
            self._on_progress(self._meter.progress())


def verify_location(
    facility: Facility,
    location: StorageLocation,
    *,
    quick: bool = False,
    on_progress: ProgressListener = lambda progress: None,
) -> VerificationReport:
    """Compare a storage location with the catalog.

    What the location's journals know and the catalog does not is taken into the catalog first. ``quick`` only checks
    that each copy exists and is as long as it was; then nothing goes on record. Orphans are only reported: a harvest
    under way may be bringing some.
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
    if quick:
        _add(report, check_sizes(facility, location, progress))
    else:
        _add(report, sweep_completely(facility, location, on_batch=progress.batch, on_bytes=progress.bytes))
    with facility.sessions() as session:
        for difference in _unrepaired(session, location, storage):
            report.add(difference)
    return report


def _without_rows(facility: Facility, location: StorageLocation, storage: Storage) -> Iterator[Difference]:
    for path in orphan_paths(facility, location.id, storage):
        yield Difference(FindingKind.ORPHAN, storage.address(path))
    leftovers = find_leftovers(storage, partial(staged_names_under_way, facility, location.id))
    for name in sorted(leftovers.own + leftovers.early):
        yield Difference(FindingKind.LEFTOVER, f"{location.base_path}: staged as {name}")


def _add(report: VerificationReport, swept: SweepReport) -> None:
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
        .where(Transfer.storage_location_id == location.id, Transfer.status == TransferStatus.DAMAGED, ~is_repaired())
        .order_by(Transfer.id)
    )
    for path, source_path, damage in rows:
        yield Difference(FindingKind.UNREPAIRED, storage.address(path or ""), source_path, damage)


def orphan_paths(facility: Facility, location_id: UUID, storage: Storage) -> Iterator[str]:
    """The published paths that no transfer leads to. Raises ``StorageError``.

    The listing goes to a file first, so that no database session waits for it; then the database compares all of it at
    once, in bounded memory.
    """
    with TemporaryFile() as spool:
        yield from _list(storage, spool)
        spool.seek(0)
        with facility.sessions() as session:
            _copy(session, spool)
            leads_there = (Transfer.storage_location_id == location_id) & (Transfer.destination_path == _LISTED.c.path)
            known = select(Transfer.id).where(leads_there, Transfer.status.in_(KNOWN))
            orphans = select(_LISTED.c.path).where(~known.exists()).execution_options(yield_per=BATCH)
            yield from session.execute(orphans).scalars()


def _list(storage: Storage, spool: IO[bytes]) -> Iterator[str]:
    """Write all paths but those that are no text, which the catalog can't know: these are returned, escaped."""
    for path in storage.paths():
        try:
            spool.write(path.encode() + END)
        except UnicodeEncodeError:
            yield path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _copy(session: Session, spool: IO[bytes]) -> None:
    session.execute(text("CREATE TEMPORARY TABLE listed_paths (path text NOT NULL) ON COMMIT DROP"))
    connection: Any = session.connection().connection.driver_connection
    with connection.cursor() as cursor, cursor.copy("COPY listed_paths (path) FROM STDIN") as copy:
        for path in _spooled(spool):
            copy.write_row([path])
    # comparing each path with all transfers is quadratic, and seems cheap to a planner that has no statistics yet
    session.execute(text("SET LOCAL enable_nestloop = off"))


def _spooled(spool: IO[bytes]) -> Iterator[str]:
    rest = b""
    while chunk := spool.read(CHUNK_BYTES):
        *paths, rest = (rest + chunk).split(END)
        for path in paths:
            yield path.decode()


def check_sizes(facility: Facility, location: StorageLocation, progress: VerificationProgress) -> SweepReport:
    """Check that every copy exists and is as long as it was, by the ends of the files alone. Nothing goes on record."""
    report = SweepReport(location.name)
    others = partial(other_copies, facility.sessions, location.id)
    try:
        storage = facility.open_marked(location)
        checker = CopyChecker(storage, check_size, others, facility.wait)
        for batch in _batches(facility, location):
            for check in checker.check(batch):
                report.add(check, storage)
            progress.batch(report, batch)
    except StorageError as error:
        report.trouble = error
    return report


def _batches(facility: Facility, location: StorageLocation) -> Iterator[list[ArchivedCopy]]:
    after = None
    while True:
        with facility.sessions() as session:
            batch = copies_by_id(session, location.id, after, BATCH_FILES)
        if not batch:
            return
        yield batch
        after = batch[-1].transfer_id
