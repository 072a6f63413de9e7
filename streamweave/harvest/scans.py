"""Scans on record: a look at a share is written down before it begins, and its outcome when it ends."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import Scan, ScanOutcome
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.coverage import Extent

NAMED_FOLDERS = 1_000
"""More unreadable folders than these are counted, and not named."""


@dataclass(slots=True)
class Sighting:
    """What one scan has seen so far. ``bytes`` counts the sizes of all files seen.

    A ``continued`` scan goes on where the last one ran out of time: what that one saw is not counted again, and
    ``covers_since`` is when the first of them began. ``unlisted_folders`` names the unreadable folders, or the first
    ``NAMED_FOLDERS`` of them, once the whole share was seen.
    """

    folders: int = 0
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    changed_files: int = 0
    gone_files: int = 0
    unreadable_folders: int = 0
    continued: bool = False
    acknowledged: bool = False
    covers_since: datetime | None = None
    address: str | None = None
    unlisted_folders: list[str] = field(default_factory=list)
    outcome: ScanOutcome = ScanOutcome.COMPLETE
    error_kind: str | None = None
    error_message: str | None = None
    extent: Extent = field(default_factory=Extent)
    """How much of the share this scan, with those that it goes on from, has seen; it is not kept."""

    def sentence(self) -> str:
        """What was seen, for a person."""
        if self.outcome == ScanOutcome.FAILED:
            return f"could not look: {self.error_message}"
        seen = f"{self.files} files in {self.folders} folders: {self.new_files} new, {self.changed_files} changed"
        if self.gone_files:
            seen += f", {self.gone_files} gone"
        if self.unreadable_folders:
            seen += f"; {self.unreadable_folders} folders could not be listed"
        if self.acknowledged:
            seen += "; believed because a person said that the share was cleaned up"
        if self.continued:
            seen += "; continued from the last look"
        if self.outcome == ScanOutcome.PARTIAL:
            seen += "; the time ran out before all was seen"
        if self.outcome == ScanOutcome.SUSPECT:
            seen += f"; {self.error_message}"
        return seen


@contextmanager
def scan_on_record(facility: Facility, instrument_id: uuid.UUID, dagster_run_id: str | None) -> Iterator[Sighting]:
    """A scan that ends with its outcome on record, also when the block raises. Errors go on to the caller."""
    with facility.sessions.begin() as session:
        scan = Scan(instrument_id=instrument_id, dagster_run_id=dagster_run_id, started_at=facility.now())
        session.add(scan)
    sighting = Sighting()
    try:
        yield sighting
    except StreamWeaveError as error:
        sighting.outcome = ScanOutcome.FAILED
        sighting.error_kind, sighting.error_message = error.kind(), str(error)
        raise
    except BaseException as error:
        sighting.outcome = ScanOutcome.FAILED
        sighting.error_kind, sighting.error_message = "interrupted", f"{type(error).__name__}: {error}"
        raise
    finally:
        _finish(facility, scan.id, sighting)


def _finish(facility: Facility, scan_id: uuid.UUID, sighting: Sighting) -> None:
    with facility.sessions.begin() as session:
        scan = session.get_one(Scan, scan_id)
        scan.finished_at = facility.now()
        for each in fields(sighting):
            if each.name != "extent":
                setattr(scan, each.name, getattr(sighting, each.name))


def latest_scan(session: Session, instrument_id: uuid.UUID, *, outcome: ScanOutcome | None = None) -> Scan | None:
    """The last finished look at an instrument's share; with ``outcome``, the last that ended so."""
    finished = select(Scan).where(Scan.instrument_id == instrument_id, Scan.finished_at.is_not(None))
    if outcome is not None:
        finished = finished.where(Scan.outcome == outcome)
    return session.scalar(finished.order_by(Scan.started_at.desc()).limit(1))
