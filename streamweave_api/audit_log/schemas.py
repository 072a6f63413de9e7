"""The body of an entry of the audit log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from streamweave_api.bodies import Outgoing


class AuditEntryBody(Outgoing):
    """One change of one row: ``changes`` maps fields to ``{"before": …, "after": …}``; secrets are ``***``.

    ``entity_type`` is the table's name. Without an actor it was somebody who was not logged in.
    """

    id: UUID
    at: datetime
    actor_id: UUID | None
    actor_email: str | None
    action: str
    entity_type: str
    entity_id: UUID
    changes: dict[str, Any]
