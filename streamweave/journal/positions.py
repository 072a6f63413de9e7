"""Positions: how far each journal is in the catalog. What lies beyond, the catalog does not know yet.

They are written in the transaction that catalogues a batch. So a catalog that was restored from an older dump finds, by
comparing them with the journals, what has been archived since that dump was made.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.tables import JournalPosition
from streamweave.storage.base import Reached


class Position(NamedTuple):
    """Of one journal: so many bytes of it are in the catalog."""

    storage_location_id: uuid.UUID
    name: str
    catalogued_bytes: int


def note_positions(session: Session, positions: Iterable[Position]) -> None:
    """Put them on record; the caller commits. A journal never falls back behind where it was."""
    rows = [position._asdict() for position in positions]
    if not rows:
        return
    statement = insert(JournalPosition).values(rows)
    further = func.greatest(JournalPosition.catalogued_bytes, statement.excluded.catalogued_bytes)
    keys = [JournalPosition.storage_location_id, JournalPosition.name]
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"catalogued_bytes": further}))


def is_catalogued(session: Session, storage_location_id: uuid.UUID, reached: Reached) -> bool:
    """Whether all of a journal is in the catalog."""
    position = session.get(JournalPosition, (storage_location_id, reached.name))
    return position is not None and position.catalogued_bytes >= reached.size


def positions_of(session: Session, storage_location_id: uuid.UUID, since: str = "") -> Mapping[str, int]:
    """How far each journal of a location is in the catalog; of those whose names are not less than ``since``."""
    rows = session.execute(
        select(JournalPosition.name, JournalPosition.catalogued_bytes).where(
            JournalPosition.storage_location_id == storage_location_id, JournalPosition.name >= since
        )
    )
    return dict(rows.tuples().all())


def forget_lost(session: Session, storage_location_id: uuid.UUID, before: str, sizes: Mapping[str, int]) -> bool:
    """Forget what journals of names less than ``before`` no longer hold; returns whether anything was lost.

    ``sizes`` are the lengths of those that exist. The caller commits.
    """
    known = positions_of(session, storage_location_id).items()
    lost = [name for name, reached in known if name < before and sizes.get(name, 0) < reached]
    which = (JournalPosition.storage_location_id == storage_location_id) & is_one_of(JournalPosition.name, lost)
    session.execute(delete(JournalPosition).where(which))
    note_positions(session, [Position(storage_location_id, name, sizes[name]) for name in lost if name in sizes])
    return bool(lost)


def newest_name(session: Session, storage_location_id: uuid.UUID) -> str | None:
    """The name of the newest journal that the catalog knows of."""
    newest = select(func.max(JournalPosition.name)).where(JournalPosition.storage_location_id == storage_location_id)
    return session.scalar(newest)
