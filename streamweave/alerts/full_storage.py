"""Which storage locations take no files, or will soon take none."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from streamweave.alerts.condition import Condition, Findings, Key, about_location, counted
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, StorageLocation, StorageType, Transfer, TransferStatus
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.storage.space import Space

LITTLE_SHARE = 0.05
LITTLE_BYTES = 100 << 30
"""Both must be true: a twentieth of a large archive is weeks of work, and 100 GiB are all of a small disk."""
GRACE = timedelta(minutes=10)
ATTEMPTS = 3
"""A location that was busy for a moment takes the file at the second attempt, or within the grace."""
FAULTS = (StorageUnavailable.kind(), StorageRefused.kind())

Spaces = Mapping[uuid.UUID, Space | None]
_Failed = aliased(Transfer)


def posix_locations(session: Session) -> Sequence[StorageLocation]:
    """The locations in use whose file system can be asked for its room."""
    return session.scalars(
        listing(StorageLocation).where(StorageLocation.type == StorageType.POSIX, StorageLocation.enabled)
    ).all()


def full_storage(session: Session, spaces: Spaces, now: datetime) -> Findings:
    """One condition for each location in use. ``spaces`` is the room in those that were asked; None didn't answer."""
    waiting = {row.storage_location_id: row for row in _waiting(session, now)}
    findings = Findings()
    for location in session.scalars(listing(StorageLocation).where(StorageLocation.enabled)):
        space = spaces.get(location.id)
        if location.id in waiting:
            findings.conditions.append(_takes_nothing(location, waiting[location.id], space))
        elif space is not None and is_nearly_full(space):
            findings.conditions.append(_is_nearly_full(location, space))
        elif location.id in spaces and space is None:
            findings.unknown.add(Key(AlertKind.FULL_STORAGE, location.id))
    return findings


def is_nearly_full(space: Space) -> bool:
    """Whether little room is left, both as a share and in bytes."""
    return space.free < LITTLE_SHARE * space.total and space.free < LITTLE_BYTES


def _waiting(session: Session, now: datetime) -> Sequence[Row[Any]]:
    """For each location: how many transfers wait because it failed, and the last that it said. Blips are left out."""
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
        .where(Transfer.status == TransferStatus.PENDING, Transfer.attempt > 1)
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
    return about_location(
        AlertKind.FULL_STORAGE, location, sentence, {"waiting": waiting.files, "error": waiting.message, **_room(space)}
    )


def _is_nearly_full(location: StorageLocation, space: Space) -> Condition:
    share = space.free / space.total
    sentence = (
        f"{location.name} is nearly full: {space.free / 1e9:.1f} GB ({share:.1%}) are free at {location.base_path}"
    )
    return about_location(AlertKind.FULL_STORAGE, location, sentence, _room(space))


def _room(space: Space | None) -> dict[str, int]:
    return {} if space is None else {"free_bytes": space.free, "total_bytes": space.total}
