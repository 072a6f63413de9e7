"""Expectations: what should have stood on a share when all of it was seen, and what of it did not."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import Instrument, Scan
from streamweave.harvest.coverage import Coverage
from streamweave.harvest.knowledge import digest_of_path, expected_by_folder

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


def expectations_of(session: Session, instrument: Instrument, coverage: Coverage, now: datetime) -> Expectations:
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
