"""What is asked about changes."""

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import AuditAction, AuditEntry

_NEWEST = Order(AuditEntry.at, AuditEntry.id, newest_first=True)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which changes: all those that match everything that is given; ``since`` is included, ``until`` is not."""

    entity_type: str | None = None
    entity_id: uuid.UUID | None = None
    actor_id: uuid.UUID | None = None
    action: AuditAction | None = None
    since: datetime | None = None
    until: datetime | None = None


def audit_log(session: Session, request: PageRequest, wanted: AuditFilter) -> Page[AuditEntry]:
    """The changes, newest first."""
    query = select(AuditEntry)
    for field in ("entity_type", "entity_id", "actor_id", "action"):
        if (value := getattr(wanted, field)) is not None:
            query = query.where(getattr(AuditEntry, field) == value)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return page_of(session, query, _NEWEST, request, scope=repr(asdict(wanted)))
