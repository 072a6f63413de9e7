"""Changing a row."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from streamweave.catalog.tables import Base

Row = TypeVar("Row", bound=Base)


def change(session: Session, row: Row, fields: Mapping[str, Any]) -> Row:
    """Set the fields, and read the row anew: the database itself stamps ``updated_at``."""
    for field, value in fields.items():
        setattr(row, field, value)
    session.flush()
    session.refresh(row)
    return row
