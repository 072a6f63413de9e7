"""The share guard: whether a complete scan that finds too few of the known files is plausible.

What counts is how many of the known files are where they were: new ones make up for nothing, so that a share that was
exchanged for another is noticed. Archived files that were recorded as gone within the last day still count as known,
so that a share that shrinks in steps is compared with what it was before the first of them. Files that were never
archived do not count: many instruments write under a temporary name first. A user may acknowledge that files are
missing because the share was cleaned up.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, digest_of_path
from streamweave.catalog.session import change
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Scan
from streamweave.harvest.scan_record import ScanCheckpoint
from streamweave.instruments.instruments import instrument_by_id
from streamweave.printable import counted

LATELY = timedelta(hours=24)
FEW_FILES = 10
"""Below so many known files a share may shrink (but not to nothing) without an alarm."""
NOTHING_CONCLUDED = "nothing was concluded from this"
VALID_FOR = timedelta(hours=24)


@dataclass(slots=True)
class Expectations:
    """``known`` files should be in the folders that could be listed, ``missing`` of them are not.

    ``gone_lately`` are further ones that earlier scans within the last day recorded as gone. ``vanished_folders`` are
    the digests of folders that are gone: the files that were in them are among the missing.
    """

    known: int = 0
    missing: int = 0
    gone_lately: int = 0
    vanished_folders: list[bytes] = field(default_factory=list)


def expectations_of(
    session: Session, instrument: Instrument, checkpoint: ScanCheckpoint, now: datetime
) -> Expectations:
    found = Expectations(missing=sum(1 for _ in checkpoint.missing))
    since = _counted_since(session, instrument, now)
    for folder, files, gone in expected_by_folder(session, instrument.id, checkpoint.started_at, gone_since=since):
        if checkpoint.is_hidden(folder):
            continue
        found.known += files
        found.gone_lately += gone
        if files and not checkpoint.has_seen(folder):
            found.missing += files
            found.vanished_folders.append(digest_of_path(folder))
    found.missing = min(found.missing, found.known)
    return found


def _counted_since(session: Session, instrument: Instrument, now: datetime) -> datetime:
    """Since when gone files still count: not those that a user has acknowledged, or that were at another address."""
    acknowledged = session.scalar(
        select(Scan.finished_at)
        .where(Scan.instrument_id == instrument.id, Scan.started_at >= now - LATELY, Scan.acknowledged)
        .order_by(Scan.started_at.desc())
        .limit(1)
    )
    moved_at = session.scalar(select(Instrument.address_changed_at).where(Instrument.id == instrument.id))
    return max(each for each in (acknowledged or now - LATELY, moved_at) if each is not None)


def suspicion(instrument: Instrument, expectations: Expectations, *, seen: int) -> str | None:
    """Why a complete scan that saw so many files is not plausible, as a sentence; or None."""
    if instrument.shrink_threshold == 0 or not expectations.missing:
        return None
    if seen == 0:
        return f"the share is empty, but {counted(expectations.known, 'file')} should be on it: {NOTHING_CONCLUDED}"
    present, before = expectations.known - expectations.missing, expectations.known + expectations.gone_lately
    if before < FEW_FILES or present >= before * instrument.shrink_threshold:
        return None
    hours = LATELY.total_seconds() / 3600
    lately = f", of which {expectations.gone_lately} went within {hours:.0f} h" if expectations.gone_lately else ""
    return f"only {present} of {before} known files are on the share{lately}: {NOTHING_CONCLUDED}"


def acknowledge_cleanup(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Accept the next suspect scan: that one alone, if it is within a day. The caller commits. Raises ``NotFound``."""
    return change(session, instrument_by_id(session, instrument_id), {"cleanup_acknowledged_at": func.now()})


def use_acknowledgement(session: Session, instrument_id: uuid.UUID, now: datetime) -> bool:
    """Whether a user has acknowledged the suspect scan; the acknowledgement is used up. The caller commits."""
    used = (
        update(Instrument)
        .where(Instrument.id == instrument_id, Instrument.cleanup_acknowledged_at >= now - VALID_FOR)
        .values(cleanup_acknowledged_at=None, updated_at=Instrument.updated_at)
        .returning(Instrument.id)
    )
    return session.scalar(used) is not None


def expected_by_folder(
    session: Session, instrument_id: uuid.UUID, before: datetime, *, gone_since: datetime
) -> Iterator[tuple[str, int, int]]:
    """For each folder, how many files known ``before`` should be in it, and how many archived ones are gone.

    Those count that were called gone after ``gone_since``. Folders come one by one.
    """
    exists_there, is_gone = FileRecord.gone_at.is_(None), FileRecord.gone_at > gone_since
    # a subquery for each row: most files are not gone, and for those it is not run
    archived = select(FileVersion.id).where(FileVersion.file_id == FileRecord.id, FileVersion.sha256.is_not(None))
    rows = session.execute(
        select(
            FileRecord.folder,
            func.count().filter(exists_there),
            func.count().filter(is_gone, archived.limit(1).scalar_subquery().is_not(None)),
        )
        .where(
            FileRecord.instrument_id == instrument_id,
            or_(exists_there, is_gone),
            FileRecord.first_discovered_at < before,
        )
        .group_by(FileRecord.folder)
        .execution_options(yield_per=BATCH)
    )
    for row in rows:
        yield row._tuple()
