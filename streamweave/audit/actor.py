"""Who acts. The catalog's triggers write the audit log (migration 0004); what they need to be told is for whom.

So a change is audited however it is made, by object, by statement or by cascade, in the transaction that makes it, and
no call can be forgotten. Whoever acts for nobody, as a harvest does, leaves no entries.
"""

import json
import uuid
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction

from streamweave.catalog.session import Sessions


@dataclass(frozen=True, slots=True)
class Actor:
    """A user who changes something; without ``id`` and ``email`` somebody who isn't logged in, as who registers."""

    id: uuid.UUID | None = None
    email: str | None = None


acting: ContextVar[Actor | None] = ContextVar("acting", default=None)
"""For whom the present context works; None for nobody."""


def audited(sessions: Sessions) -> Sessions:
    """The same sessions; from now on a transaction is on record as the work of whoever is ``acting`` as it begins."""
    event.listen(sessions, "after_begin", _tell)
    return sessions


def _tell(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    actor = acting.get()
    if actor is not None:
        told = json.dumps({"id": actor.id and str(actor.id), "email": actor.email})
        connection.execute(text("SELECT set_config('streamweave.actor', :told, true)"), {"told": told})
