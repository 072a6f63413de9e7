"""Conditions of storage locations: they take no files, or will soon take none; their place is refused; of their copies
nothing is proven; or their journals and the catalog differ.
"""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from streamweave.alerts.conditions import Condition, Finding, Key, about_location
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import IS_OPEN, AlertKind, StorageLocation, StorageType, Transfer, TransferStatus
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.journal.readoption import SHOWN_FOR, recent_conflicts
from streamweave.preservation.damage import open_hold
from streamweave.preservation.report import last_trouble, locations_with_copies
from streamweave.printable import counted
from streamweave.storage.marking import answered

CONFLICTS_NAMED = 10
LITTLE_SHARE = 0.05
LITTLE_BYTES = 100 << 30
"""Both must be true: a twentieth of a large archive is weeks of work, and 100 GiB are all of a small disk."""
GRACE = timedelta(minutes=10)
ATTEMPTS = 3
"""A location that was busy for a moment takes the file at the second attempt, or within the grace."""
FAULTS = (StorageUnavailable.kind(), StorageRefused.kind())

Spaces = Mapping[uuid.UUID, "Space | None"]
_Failed = aliased(Transfer)


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system: in all, and free for us."""

    total: int
    free: int


def space_at(path: str) -> Space | None:
    """The space in the file system that holds ``path``; None when it isn't there, or doesn't answer in time."""
    try:
        found = answered(f"space at {path}", lambda: os.statvfs(path))
    except (OSError, TimeoutError):
        return None
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def refused_storage(session: Session) -> Iterator[Condition]:
    """One condition for each location in use whose place was refused when it was last opened."""
    refused = listing(StorageLocation).where(StorageLocation.enabled, StorageLocation.refusal.is_not(None))
    for location in session.scalars(refused):
        sentence = f"{location.name} is refused since {location.refused_at:%Y-%m-%d %H:%M} UTC: {location.refusal}"
        yield about_location(AlertKind.REFUSED_STORAGE, location, sentence)


def unproven_storage(session: Session) -> Iterator[Condition]:
    """One condition for each location that holds copies and is not deleted, disabled ones too."""
    for location in locations_with_copies(session):
        if location.is_deleted:
            continue
        if (hold := open_hold(session, location.id)) is not None:
            sentence = f"{location.name} is held since {hold.held_at:%Y-%m-%d %H:%M} UTC: {hold.because}"
            yield about_location(AlertKind.UNPROVEN_STORAGE, location, sentence, {"hold": str(hold.id)})
        elif trouble := last_trouble(session, location.id):
            sentence = f"The last nightly sweep over {location.name} had trouble: {trouble}"
            yield about_location(AlertKind.UNPROVEN_STORAGE, location, sentence)


def conflicting_journals(session: Session, now: datetime) -> Iterator[Condition]:
    """One condition for each location in whose journals conflicts were found lately, with the first by name.

    They damage neither archive nor catalog, and only a person can judge them: the condition ends after a while.
    """
    found = recent_conflicts(session, now)
    for location in session.scalars(listing(StorageLocation).where(StorageLocation.id.in_(found))) if found else ():
        conflicts = found[location.id]
        sentence = (
            f"{location.name}: {conflicts.sentence()}. `streamweave verify {location.name!r}` names them all, for "
            f"{SHOWN_FOR.days} days"
        )
        details = {
            "conflicts": len(conflicts.named),
            "first": conflicts.named[:CONFLICTS_NAMED],
            "illegible_lines": conflicts.illegible,
        }
        yield about_location(AlertKind.CONFLICTING_JOURNALS, location, sentence, details)


def posix_locations(session: Session) -> Sequence[StorageLocation]:
    """The locations in use that are in a file system; an object store has no limit that could be read."""
    return session.scalars(
        listing(StorageLocation).where(StorageLocation.type == StorageType.POSIX, StorageLocation.enabled)
    ).all()


def full_storage(session: Session, spaces: Spaces, now: datetime) -> Iterator[Finding]:
    """One condition for each location in use. ``spaces`` is what was read of some; None for those without an answer."""
    waiting = {row.storage_location_id: row for row in _waiting(session, now)}
    for location in session.scalars(listing(StorageLocation).where(StorageLocation.enabled)):
        space = spaces.get(location.id)
        if location.id in waiting:
            yield _takes_nothing(location, waiting[location.id], space)
        elif space is not None and is_nearly_full(space):
            yield _is_nearly_full(location, space)
        elif location.id in spaces and space is None:
            yield Key(AlertKind.FULL_STORAGE, location.id)


def is_nearly_full(space: Space) -> bool:
    """Whether little space is left, both as a share and in bytes."""
    return space.free < LITTLE_SHARE * space.total and space.free < LITTLE_BYTES


def _waiting(session: Session, now: datetime) -> Sequence[Row[Any]]:
    """For each location: how many transfers wait because it failed, and an error. Short failures are left out."""
    before = and_(
        _Failed.file_id == Transfer.file_id,
        _Failed.version_id == Transfer.version_id,
        _Failed.storage_location_id == Transfer.storage_location_id,
        _Failed.attempt == Transfer.attempt - 1,
        _Failed.status == TransferStatus.FAILED,
        _Failed.error_kind.in_(FAULTS),
    )
    return session.execute(
        select(
            Transfer.storage_location_id,
            func.count().label("files"),
            func.max(_Failed.completed_at).label("last_at"),
            func.min(_Failed.error_message).label("message"),
        )
        .join(_Failed, before)
        .where(IS_OPEN, Transfer.status == TransferStatus.PENDING, Transfer.attempt > 1)
        .group_by(Transfer.storage_location_id)
        .having(func.bool_or(_has_lasted(now)))
    ).all()


def _has_lasted(now: datetime) -> ColumnElement[bool]:
    return or_(
        _Failed.error_kind == StorageRefused.kind(), Transfer.attempt > ATTEMPTS, Transfer.created_at <= now - GRACE
    )


def _takes_nothing(location: StorageLocation, waiting: Row[Any], space: Space | None) -> Condition:
    sentence = (
        f"{location.name} takes no files: {counted(waiting.files, 'transfer')} failed there and "
        f"{'waits' if waiting.files == 1 else 'wait'}: {waiting.message}"
    )
    details = {"waiting": waiting.files, "error": waiting.message, **_bytes_of(space)}
    return about_location(AlertKind.FULL_STORAGE, location, sentence, details)


def _is_nearly_full(location: StorageLocation, space: Space) -> Condition:
    share = space.free / space.total
    sentence = (
        f"{location.name} is nearly full: {space.free / 1e9:.1f} GB ({share:.1%}) are free at {location.base_path}"
    )
    return about_location(AlertKind.FULL_STORAGE, location, sentence, _bytes_of(space))


def _bytes_of(space: Space | None) -> dict[str, int]:
    return {} if space is None else {"free_bytes": space.free, "total_bytes": space.total}
