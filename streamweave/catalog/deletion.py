"""Deletion that can be undone: a deleted row is neither used nor listed, and can be restored.

A transaction that deletes a row holds its lock, and so does one that makes another row refer to it (``referable``), so
nothing new can refer to a row that is being deleted.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import (
    Base,
    Deletable,
    Group,
    Hook,
    Instrument,
    Project,
    Schedule,
    ServiceAccount,
    StorageLocation,
)
from streamweave.errors import Conflict, NotFound

Row = TypeVar("Row", bound=Deletable)
Needed = TypeVar("Needed", Instrument, ServiceAccount, StorageLocation)
Configured = Group | Hook | Instrument | Project | Schedule | ServiceAccount | StorageLocation


def listing(table: type[Row], *, include_deleted: bool = False) -> Select[tuple[Row]]:
    """The rows of a table, the deleted ones only if they are asked for."""
    return select(table) if include_deleted else select(table).where(table.deleted_at.is_(None))


def in_order_of_creation(
    session: Session, table: type[Configured], request: PageRequest, *, include_deleted: bool = False
) -> Page[Any]:
    """The rows of a table in pages, the deleted ones only if they are asked for."""
    order = Order(table.created_at, table.id)
    return page_of(session, listing(table, include_deleted=include_deleted), order, request)


def present(session: Session, table: type[Row], row_id: uuid.UUID, noun: str, options: Sequence[ORMOption] = ()) -> Row:
    """The row. Raises ``NotFound`` for an unknown or a deleted one."""
    row = session.get(table, row_id, options=options)
    if row is None or row.is_deleted:
        raise NotFound(noun)
    return row


def to_delete(session: Session, table: type[Row], row_id: uuid.UUID, noun: str) -> Row:
    """As ``present``; nothing new can refer to the row until the transaction ends."""
    row = session.get(table, row_id, with_for_update={"of": table})
    if row is None or row.is_deleted:
        raise NotFound(noun)
    return row


def to_restore(session: Session, table: type[Row], row_id: uuid.UUID, noun: str) -> Row:
    """The deleted row. Raises ``NotFound`` (``Deleted schedule not found``) when there is nothing to restore."""
    row = session.get(table, row_id, with_for_update={"of": table})
    if row is None or not row.is_deleted:
        raise NotFound(f"Deleted {noun[0].lower()}{noun[1:]}")
    return row


def referable(session: Session, table: type[Row], row_id: uuid.UUID, *, exclusively: bool = False) -> Row | None:
    """The row if another one may refer to it; it can't be deleted until the transaction ends.

    With ``exclusively`` no other transaction can make a row refer to it: for callers that may change it, too.
    """
    lock = {"read": not exclusively, "of": table}
    row = session.get(table, row_id, with_for_update=lock, populate_existing=exclusively)
    return None if row is None or row.is_deleted else row


def remove(session: Session, table: type[Base], row_id: uuid.UUID, noun: str, **owned: uuid.UUID) -> None:
    """Remove a row permanently. Raises ``NotFound``, also if its columns are not those of ``owned``."""
    row = session.get(table, row_id, with_for_update=True)
    if row is None or any(getattr(row, column) != value for column, value in owned.items()):
        raise NotFound(noun)
    session.delete(row)
    session.flush()


def mark_deleted(session: Session, rows: Iterable[Deletable]) -> None:
    """Delete the rows, all with the same time, by which rows that were deleted together are found."""
    now = datetime.now(UTC)
    for row in rows:
        row.deleted_at = now
    session.flush()


def mark_restored(session: Session, rows: Iterable[Deletable]) -> None:
    """Restore the rows."""
    for row in rows:
        row.deleted_at = None
        session.flush()
        session.refresh(row)


def require_present(session: Session, table: type[Needed], row_id: uuid.UUID, noun: str) -> None:
    """Lock a row that is needed by one to be restored, as ``referable`` does. Raises ``Conflict`` if it is deleted."""
    needed = session.get_one(table, row_id, with_for_update={"read": True, "of": table})
    if needed.is_deleted:
        raise Conflict(f"the {noun} {needed.name} is deleted: restore it first")
