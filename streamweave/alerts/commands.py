"""What people do with alerts. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from streamweave.alerts.questions import alert_by_id
from streamweave.catalog.session import change
from streamweave.catalog.tables import Alert, User
from streamweave.errors import Conflict
from streamweave.validation import Rule, checked, optional, text

ACKNOWLEDGEMENT: dict[str, Rule] = {"note": optional(text(lines=True))}


def acknowledge(session: Session, user: User, alert_id: uuid.UUID, values: Mapping[str, Any]) -> Alert:
    """The user is on it: it stops nothing, and tells the others. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.

    Somebody else may take it over.
    """
    fields = checked(ACKNOWLEDGEMENT, values)
    alert = alert_by_id(session, alert_id)
    if alert.ended_at is not None:
        raise Conflict("the alert is over: there is nothing left to do about it")
    acknowledged = {"acknowledged_at": func.statement_timestamp(), "acknowledged_by_id": user.id}
    return change(session, alert, {**acknowledged, "acknowledgement": fields.get("note")})
