"""Conflicts: what journals and catalog say differently of a storage location. They need attention."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import Readoption

SHOWN_FOR = timedelta(days=14)
"""After they were found. They stay on record."""


@dataclass(slots=True)
class Conflicts:
    """The conflicts of one location. ``found_at`` is when the last were found; ``illegible`` lines may hold more."""

    found_at: datetime
    named: list[str] = field(default_factory=list)
    illegible: int = 0

    def sentence(self) -> str:
        """How many, and the first."""
        parts = [f"conflicts with the catalog ({len(self.named)}), the first: {self.named[0]}"] if self.named else []
        parts += [f"lines that could not be read ({self.illegible})"] if self.illegible else []
        return f"its journals, read on {self.found_at:%Y-%m-%d %H:%M} UTC, hold {' and '.join(parts)}"


def recent_conflicts(session: Session, now: datetime) -> Mapping[uuid.UUID, Conflicts]:
    """The conflicts of each storage location that has any."""
    rows = session.scalars(
        select(Readoption)
        .where(
            Readoption.read_at > now - SHOWN_FOR,
            or_(Readoption.illegible > 0, func.cardinality(Readoption.conflicts) > 0),
        )
        .order_by(Readoption.read_at, Readoption.id)
    )
    found: dict[uuid.UUID, Conflicts] = {}
    for row in rows:
        conflicts = found.setdefault(row.storage_location_id, Conflicts(row.read_at))
        conflicts.found_at = row.read_at
        conflicts.named += row.conflicts
        conflicts.illegible += row.illegible
    return found
