"""The source check: one round of reading archived files again at the source, the least recently read first.

It belongs to the runs that scan a whole share, and is their last step: a sensor's tick has no time for it, and new
files come first. It ends after a minute, or as soon as new files wait, and reads over a single connection at the
instrument's own rate, in its hours.
"""

import math
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import batches, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.files import DONE, in_state
from streamweave.errors import SourceError, SourceFileError
from streamweave.facility import Facility
from streamweave.harvest.copy_verify import Digest, digest_of
from streamweave.harvest.plan import days_with_work, policy_for
from streamweave.harvest.progress import Interval
from streamweave.harvest.rate_limit import Limits, Pace, closed_until, limits_of
from streamweave.harvest.record_changes import record_other_contents
from streamweave.printable import counted
from streamweave.sources.base import WHOLE_FILE_BYTES, Source, SourceFile, WholeFile

MOST_FILES = 2_000
"""More are not read again by one harvest: opening a file costs an instrument's PC more than its bytes."""
SECONDS = 60.0
WORK_ASKED_EVERY_SECONDS = 5.0
RECORDED_AT_ONCE = 200


class ArchivedSource(NamedTuple):
    """An archived version whose source is to be read again."""

    version_id: uuid.UUID
    source_path: str
    size_bytes: int
    mtime: datetime
    sha256: str
    is_gone: bool


def _selection(session: Session, instrument: Instrument) -> list[ArchivedSource]:
    """The versions to read next, including those that are gone from the source, which are skipped.

    At least one file, however large it is; none while earlier rounds have read too much.
    """
    budget = instrument.rehash_bytes - instrument.rehash_debt_bytes
    if instrument.rehash_share == 0 or budget <= 0:
        return []
    archived = session.scalar(select(func.count()).select_from(FileVersion).where(_is_archived(instrument))) or 0
    number = min(math.ceil(archived * instrument.rehash_share), MOST_FILES)
    rows = session.execute(
        select(
            FileVersion.id,
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.sha256,
            FileRecord.gone_at.is_not(None),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(_is_archived(instrument), FileVersion.sha256.is_not(None))
        .order_by(func.coalesce(FileVersion.source_reread_at, FileVersion.indexed_since))
        .limit(number)
    )
    return list(_within(budget, (ArchivedSource._make(row) for row in rows)))


def _is_archived(instrument: Instrument) -> ColumnElement[bool]:
    return and_(FileVersion.instrument_id == instrument.id, FileVersion.is_newest, in_state(*DONE))


def _within(budget: int, subjects: Iterable[ArchivedSource]) -> Iterator[ArchivedSource]:
    """The first ones that fit; the last of them may be larger than what is left of the budget."""
    for subject in subjects:
        yield subject
        budget -= 0 if subject.is_gone else subject.size_bytes
        if budget <= 0:
            return


def _record_debt(session: Session, instrument: Instrument, read_bytes: int) -> None:
    """The following rounds read less by what was read beyond the budget."""
    debt = Instrument.rehash_debt_bytes + read_bytes - Instrument.rehash_bytes
    session.execute(
        update(Instrument)
        .where(Instrument.id == instrument.id)
        .values(rehash_debt_bytes=func.greatest(debt, 0), updated_at=Instrument.updated_at)
    )


class SourceOutcome(StrEnum):
    """The result of reading a source again. ``unknown``: it could not be read, or has changed visibly to a scan."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What keeps the reading from being a burden.

    ``before_reading`` is called with the number of bytes that come next, and may wait. A file is begun only while
    ``may_begin``; one under way is not read to its end once ``must_end``.
    """

    before_reading: Callable[[int], None]
    may_begin: Callable[[], bool]
    must_end: Callable[[], bool]


Reread = tuple[ArchivedSource, SourceOutcome, int]
"""The number is how many bytes were read."""


def reread(source: Source, subjects: Sequence[ArchivedSource], limits: ReadLimits) -> Iterator[Reread]:
    """Read what the limits allow, the small files first. Raises a ``SourceError`` when the share fails."""
    present = []
    for subject in subjects:
        if subject.is_gone:
            yield subject, SourceOutcome.UNKNOWN, 0
        else:
            present.append(subject)
    yield from _small(source, [each for each in present if each.size_bytes <= WHOLE_FILE_BYTES], limits)
    for subject in present:
        if subject.size_bytes > WHOLE_FILE_BYTES and limits.may_begin():
            yield _large(source, subject, limits)


def _small(source: Source, subjects: Sequence[ArchivedSource], limits: ReadLimits) -> Iterator[Reread]:
    asked: deque[ArchivedSource] = deque()

    def files() -> Iterator[SourceFile]:
        for subject in subjects:
            if not limits.may_begin():
                return
            limits.before_reading(subject.size_bytes)
            asked.append(subject)
            yield SourceFile(subject.source_path, subject.size_bytes, subject.mtime)

    for answer in source.read_whole(files()):
        subject = asked.popleft()
        if isinstance(answer, WholeFile):
            is_same_file = _is_as_archived(subject, answer.at_opening) and _is_as_archived(subject, answer.at_closing)
            yield subject, _outcome(subject, digest_of([answer.content]), is_same_file), len(answer.content)
        else:
            yield subject, SourceOutcome.UNKNOWN, 0


def _large(source: Source, subject: ArchivedSource, limits: ReadLimits) -> Reread:
    read = 0

    def metered(chunks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            limits.before_reading(len(chunk))
            yield chunk
            if read > subject.size_bytes or limits.must_end():
                return

    try:
        with source.open(subject.source_path) as file:
            is_same_file = _is_as_archived(subject, file.now())
            digest = digest_of(metered(file.chunks()) if is_same_file else ())
            is_same_file = is_same_file and _is_as_archived(subject, file.now())
    except SourceFileError:
        return subject, SourceOutcome.UNKNOWN, read
    return subject, _outcome(subject, digest, is_same_file), read


def _is_as_archived(subject: ArchivedSource, found: SourceFile) -> bool:
    return (found.size_bytes, found.mtime) == (subject.size_bytes, subject.mtime)


def _outcome(subject: ArchivedSource, read: Digest, is_same_file: bool) -> SourceOutcome:
    if not is_same_file or read.size_bytes != subject.size_bytes:
        return SourceOutcome.UNKNOWN
    return SourceOutcome.IDENTICAL if read.sha256 == subject.sha256 else SourceOutcome.DIFFERENT


def record_findings(session: Session, instrument: Instrument, reread: Sequence[Reread], now: datetime) -> list[str]:
    """Write what was found; returns the paths of the files that get a further version, which is to settle.

    What has changed since it was read, or is just being copied, is left to the scans.
    """
    _stamp(session, [subject.version_id for subject, _, _ in reread], source_reread_at=now)
    identical = [subject.version_id for subject, finding, _ in reread if finding == SourceOutcome.IDENTICAL]
    _stamp(session, identical, source_verified_at=now)
    _mark_finished(session, identical, instrument, now)
    different = {
        subject.version_id: subject.source_path for subject, found, _ in reread if found == SourceOutcome.DIFFERENT
    }
    return record_other_contents(session, instrument, different, now)


def _stamp(session: Session, version_ids: Collection[uuid.UUID], **times: datetime) -> None:
    session.execute(
        update(FileVersion).where(is_one_of(FileVersion.id, version_ids), FileVersion.is_newest).values(**times)
    )


def _mark_finished(session: Session, version_ids: Collection[uuid.UUID], instrument: Instrument, now: datetime) -> None:
    """Mark as finished what was archived while it grew, has been quiet since, and is as it was archived.

    Not where files count as unfinished while they are open: then being quiet does not show that they are finished.
    """
    if instrument.probe_open_writer:
        return
    quiet_since = now - timedelta(seconds=instrument.quiet_period_seconds)
    session.execute(
        update(FileVersion)
        .where(
            is_one_of(FileVersion.id, version_ids),
            FileVersion.is_newest,
            FileVersion.state == VersionState.ARCHIVED,
            FileVersion.unfinished.is_not(None),
            FileVersion.unchanged_since <= quiet_since,
        )
        .values(unfinished=None, reason="")
    )


@dataclass(slots=True)
class RehashReport:
    """What one round found. ``changed`` are the paths of files that get a further version."""

    counts: Counter[SourceOutcome] = field(default_factory=Counter)
    bytes: int = 0
    changed: list[str] = field(default_factory=list)
    pause: str = ""
    trouble: SourceError | None = None

    def sentence(self) -> str:
        if self.pause:
            return f"nothing read again: {self.pause}"
        files = counted(self.counts.total(), "archived file")
        outcomes = ", ".join(f"{self.counts[outcome]} {outcome}" for outcome in SourceOutcome)
        sentence = f"{files} read again at the source ({counted(self.bytes, 'byte')}): {outcomes}"
        return f"{sentence}; ended early: {self.trouble}" if self.trouble else sentence


def rehash(facility: Facility, instrument: Instrument) -> RehashReport:
    """Read a share of the archived files again; what differs becomes a version that settles as any other.

    The failure of the share is the report's ``trouble``; the next scan reports it too.
    """
    rates, report = limits_of(instrument), RehashReport()
    if (opening := rates.opens_at(facility.now())) is not None:
        report.pause = closed_until(opening)
        return report
    with facility.sessions() as session:
        subjects = _selection(session, session.get_one(Instrument, instrument.id))
    try:
        with closing(facility.open_source(instrument)) as source:
            found = reread(source, subjects, _read_limits(facility, instrument, rates)) if subjects else ()
            for batch in batches(found, RECORDED_AT_ONCE):
                _record(facility, instrument, batch, report)
    except SourceError as error:
        report.trouble = error
    with facility.sessions.begin() as session:
        _record_debt(session, instrument, report.bytes)
    return report


def _record(facility: Facility, instrument: Instrument, batch: Sequence[Reread], report: RehashReport) -> None:
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        report.changed += record_findings(session, instrument, batch, facility.now())
    report.counts.update(finding for _, finding, _ in batch)
    report.bytes += sum(read for _, _, read in batch)


def _read_limits(facility: Facility, instrument: Instrument, rates: Limits) -> ReadLimits:
    ends_at = time.monotonic() + SECONDS
    interval, has_work = Interval(WORK_ASKED_EVERY_SECONDS), False

    def must_end() -> bool:
        nonlocal has_work
        if not has_work and interval.is_over:
            interval.restart()
            has_work = _has_work(facility, instrument)
        return has_work

    def may_begin() -> bool:
        return time.monotonic() < ends_at and rates.opens_at(facility.now()) is None and not must_end()

    return ReadLimits(Pace(rates.bytes_per_second).take, may_begin, must_end)


def _has_work(facility: Facility, instrument: Instrument) -> bool:
    with facility.sessions() as session:
        return bool(
            days_with_work(session, instrument, policy_for(session, instrument, facility.reach), facility.now())
        )
