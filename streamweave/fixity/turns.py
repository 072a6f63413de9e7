"""Turns: which copies of a storage location are re-read next. Those of deleted instruments have theirs too."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.tables import FileRecord, FileVersion, Transfer, TransferStatus
from streamweave.fixity.quota import Holdings
from streamweave.fixity.rereading import ArchivedCopy

COLUMNS = (
    Transfer.id,
    Transfer.file_id,
    Transfer.destination_path,
    FileRecord.source_path,
    FileVersion.size_bytes,
    FileVersion.sha256,
    Transfer.last_verified_at,
)


def holdings_of(session: Session, location_id: uuid.UUID) -> Holdings:
    """What the catalog says that the location holds."""
    files, size_bytes = session.execute(
        select(func.count(), func.coalesce(func.sum(FileVersion.size_bytes), 0))
        .select_from(Transfer)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(Transfer.storage_location_id == location_id, Transfer.status == TransferStatus.COMPLETED)
    ).one()
    return Holdings(files, int(size_bytes))


def damaged_copies(session: Session, location_id: uuid.UUID, before: datetime, limit: int) -> list[ArchivedCopy]:
    """Copies that the last re-reading found damaged and that nobody has given up yet, unless re-read since."""
    query = _copies_in(location_id).where(Transfer.damage.is_not(None), Transfer.last_verified_at < before)
    return _found(session, query.order_by(Transfer.damage_found_at, Transfer.id).limit(limit))


def copies_in_turn(session: Session, location_id: uuid.UUID, before: datetime, limit: int) -> list[ArchivedCopy]:
    """The copies that were not re-read for the longest time, and not since ``before``."""
    unread = or_(Transfer.last_verified_at.is_(None), Transfer.last_verified_at < before)
    in_turn = Transfer.last_verified_at.asc().nulls_first(), Transfer.id
    return _found(session, _copies_in(location_id).where(unread).order_by(*in_turn).limit(limit))


def copies_by_id(session: Session, location_id: uuid.UUID, after: uuid.UUID | None, limit: int) -> list[ArchivedCopy]:
    """The copies whose transfers have the next ids; from the first on without ``after``."""
    query = _copies_in(location_id).order_by(Transfer.id).limit(limit)
    return _found(session, query if after is None else query.where(Transfer.id > after))


def other_copies(
    session: Session, location_id: uuid.UUID, than: Sequence[ArchivedCopy], limit: int
) -> list[ArchivedCopy]:
    """Some copies of the location, not known to be damaged, that are not among these."""
    known = [copy.transfer_id for copy in than]
    query = _copies_in(location_id).where(~is_one_of(Transfer.id, known), Transfer.damage.is_(None))
    return _found(session, query.order_by(Transfer.last_verified_at.asc().nulls_first(), Transfer.id).limit(limit))


def _copies_in(location_id: uuid.UUID) -> Select[Any]:
    return (
        select(*COLUMNS)
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .where(Transfer.storage_location_id == location_id, Transfer.status == TransferStatus.COMPLETED)
    )


def _found(session: Session, query: Select[Any]) -> list[ArchivedCopy]:
    return [ArchivedCopy(*row) for row in session.connection().execute(query)]
