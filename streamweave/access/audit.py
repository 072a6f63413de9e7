"""The audit log: who is acting, and which changes were made.

The catalog's triggers write it (migration 0004), so a change is recorded however it is made (by object, by statement or
by cascade), in the transaction that makes it. What they need is the actor of the transaction. Without one, as in a
harvest, no entry is written.
"""

import json
import uuid
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import event, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import AuditAction, AuditEntry

_NEWEST = Order(AuditEntry.at, AuditEntry.id, newest_first=True)


@dataclass(frozen=True, slots=True)
class Actor:
    """A user who changes something; without ``id`` and ``email`` one who isn't logged in, such as at registration."""

    id: uuid.UUID | None = None
    email: str | None = None


acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
"""The actor of the present context; None if there is none."""


def audited(sessions: Sessions) -> Sessions:
    """The same sessions; from now on a transaction is recorded as the work of the actor that is set as it begins."""
    event.listen(sessions, "after_begin", _set_actor)
    return sessions


def _set_actor(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    actor = acting.get()
    if actor is not None:
        value = json.dumps({"id": actor.id and str(actor.id), "email": actor.email})
        connection.execute(text("SELECT set_config('streamweave.actor', :value, true)"), {"value": value})


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
