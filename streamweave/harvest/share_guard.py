"""Expectations: what should have stood on a share when all of it was seen, and what of it did not.

Doubt: why a look at a whole share is not to be believed. Pure.

What counts is how many of the known files stand where they stood: new ones make up for nothing, or a share that was
exchanged for another would pass. Archived files that were called gone within the last day still count as known, so
that a share that shrinks in steps is held against what it was before the first of them. (Files that were never
archived don't: many an instrument writes under a temporary name first.)

Cleanups: a person says that files are missing from a share because somebody cleaned up. The caller commits.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path
from streamweave.catalog.session import change
from streamweave.catalog.tables import Instrument, Scan
from streamweave.harvest.file_queries import expected_by_folder
from streamweave.harvest.scan_checkpoint import ScanCheckpoint
from streamweave.instruments.instruments import instrument_by_id

LATELY = timedelta(hours=24)


@dataclass(slots=True)
class Expectations:
    """``known`` files should stand where the look could look, ``missing`` of them do not.

    ``gone_lately`` are further ones that earlier looks within the last day have called gone. ``vanished_folders`` are
    the digests of folders that are not there any more: the files that stood in them are among the missing.
    """

    known: int = 0
    missing: int = 0
    gone_lately: int = 0
    vanished_folders: list[bytes] = field(default_factory=list)


def expectations_of(session: Session, instrument: Instrument, coverage: ScanCheckpoint, now: datetime) -> Expectations:
    """What was expected of a share that ``coverage`` has seen as a whole."""
    found = Expectations(missing=sum(1 for _ in coverage.missing))
    since = _counted_since(session, instrument, now)
    for folder, files, gone in expected_by_folder(session, instrument.id, coverage.started_at, gone_since=since):
        if coverage.is_hidden(folder):
            continue
        found.known += files
        found.gone_lately += gone
        if files and not coverage.has_seen(folder):
            found.missing += files
            found.vanished_folders.append(digest_of_path(folder))
    found.missing = min(found.missing, found.known)
    return found


def _counted_since(session: Session, instrument: Instrument, now: datetime) -> datetime:
    """From when on gone files still count: what a person has acknowledged, or was at another address, is done with."""
    acknowledged = session.scalar(
        select(Scan.finished_at)
        .where(Scan.instrument_id == instrument.id, Scan.started_at >= now - LATELY, Scan.acknowledged)
        .order_by(Scan.started_at.desc())
        .limit(1)
    )
    moved_at = session.scalar(select(Instrument.address_changed_at).where(Instrument.id == instrument.id))
    return max(each for each in (acknowledged or now - LATELY, moved_at) if each is not None)


FEW_FILES = 10
"""Below this many known files a share may shrink (but not to nothing) without an alarm."""
NOTHING_CONCLUDED = "nothing was concluded from this"


def doubt(instrument: Instrument, expectations: Expectations, *, seen: int) -> str | None:
    """Why a complete look that saw so many files is not to be believed; or None."""
    if instrument.shrink_threshold == 0 or not expectations.missing:
        return None
    if seen == 0:
        return f"the share is empty, but {expectations.known} files are known on it: {NOTHING_CONCLUDED}"
    standing, before = expectations.known - expectations.missing, expectations.known + expectations.gone_lately
    if before < FEW_FILES or standing >= before * instrument.shrink_threshold:
        return None
    hours = LATELY.total_seconds() / 3600
    lately = f", of which {expectations.gone_lately} went within {hours:.0f} h" if expectations.gone_lately else ""
    return f"only {standing} of {before} known files stand on the share{lately}: {NOTHING_CONCLUDED}"


VALID_FOR = timedelta(hours=24)


def acknowledge_cleanup(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Let the next look that is in doubt be believed: that one alone, if it comes within a day. Raises ``NotFound``."""
    return change(session, instrument_by_id(session, instrument_id), {"cleanup_acknowledged_at": func.now()})


def use_acknowledgement(session: Session, instrument_id: uuid.UUID, now: datetime) -> bool:
    """Whether a person's word covers the look in doubt; it covers no other one afterwards."""
    used = (
        update(Instrument)
        .where(Instrument.id == instrument_id, Instrument.cleanup_acknowledged_at >= now - VALID_FOR)
        .values(cleanup_acknowledged_at=None, updated_at=Instrument.updated_at)
        .returning(Instrument.id)
    )
    return session.scalar(used) is not None
