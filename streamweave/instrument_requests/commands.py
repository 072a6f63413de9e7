"""Asking for an instrument, and deciding about it. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from streamweave.catalog.tables import InstrumentRequest, RequestStatus, User
from streamweave.errors import Conflict, NotFound
from streamweave.notifications.commands import all_admins, notify
from streamweave.rules import Rule, checked, name, one_word_of, optional, require, text

FILED = "instrument_request_filed"
REVIEWED = "instrument_request_reviewed"

FIELDS: dict[str, Rule] = {
    "name": name,
    "location": optional(text()),
    "description": optional(text(lines=True)),
    "justification": text(lines=True),
}
REVIEW: dict[str, Rule] = {
    "status": one_word_of(RequestStatus.APPROVED, RequestStatus.REJECTED),
    "note": optional(text(lines=True)),
}


def request_instrument(session: Session, requester: User, values: Mapping[str, Any]) -> InstrumentRequest:
    """A wish for an instrument: ``name`` and ``justification``, if wished ``location`` and ``description``.

    All admins are told. Raises ``InvalidInput``.
    """
    fields = checked(FIELDS, values)
    require(fields, "name", "justification")
    wish = InstrumentRequest(**fields, requester_id=requester.id)
    session.add(wish)
    session.flush()
    notify(
        session,
        all_admins(session),
        kind=FILED,
        subject=f"{requester.email} asks for the instrument {wish.name}",
        body=wish.justification,
        about=wish,
    )
    return wish


def review_instrument_request(
    session: Session, reviewer: User, request_id: uuid.UUID, values: Mapping[str, Any]
) -> InstrumentRequest:
    """Decide about a request: ``status`` (approved or rejected), and a ``note`` if wished. The requester is told.

    Raises ``NotFound``, ``InvalidInput``, or ``Conflict`` for one that was decided about before.
    """
    fields = checked(REVIEW, values)
    require(fields, "status")
    wish = session.get(InstrumentRequest, request_id, with_for_update=True)
    if wish is None:
        raise NotFound("Instrument request")
    if wish.status != RequestStatus.PENDING:
        raise Conflict(f"the request was {wish.status} already")
    wish.status, wish.note = fields["status"], fields.get("note")
    wish.reviewed_by_id, wish.reviewed_at = reviewer.id, func.statement_timestamp()
    session.flush()
    session.refresh(wish)
    notify(
        session,
        [wish.requester_id],
        kind=REVIEWED,
        subject=f"Your request for the instrument {wish.name} was {wish.status}",
        body=wish.note or "",
        about=wish,
    )
    return wish
