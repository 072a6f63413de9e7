"""Requests for instruments, and the decisions on them. Admins see all, others their own. The caller commits."""

import math
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.access.notifications import all_admins, notify
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import add
from streamweave.catalog.tables import InstrumentRequest, RequestStatus, User
from streamweave.errors import Conflict, NotFound, TooManyAttempts
from streamweave.validation import Rule, checked, name, one_word_of, optional, text

FILED = "instrument_request_filed"
REVIEWED = "instrument_request_reviewed"

# of one person: each of them is a notification for every admin
MOST_PENDING = 10
MOST_A_DAY = 20
A_DAY = timedelta(days=1)

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

_CREATION = Order(InstrumentRequest.created_at, InstrumentRequest.id)


def request_instrument(session: Session, requester: User, values: Mapping[str, Any]) -> InstrumentRequest:
    """A request for an instrument: ``name`` and ``justification``, optionally ``location`` and ``description``.

    All admins are notified. Raises ``InvalidInput``, ``Conflict`` while too many of the requester's wait for a
    decision, or ``TooManyAttempts`` after too many within a day.
    """
    fields = checked(FIELDS, values, required=("name", "justification"))
    _check_not_too_many(session, requester)
    filed = InstrumentRequest(**fields, requester_id=requester.id)
    add(session, filed)
    notify(
        session,
        all_admins(session),
        kind=FILED,
        subject=f"{requester.email} asks for the instrument {filed.name}",
        body=filed.justification,
        about=filed,
    )
    return filed


def review_instrument_request(
    session: Session, reviewer: User, request_id: uuid.UUID, values: Mapping[str, Any]
) -> InstrumentRequest:
    """Decide about a request: ``status`` (approved or rejected), and optionally a ``note``. The requester is notified.

    Raises ``NotFound``, ``InvalidInput``, or ``Conflict`` for one that was decided about before.
    """
    fields = checked(REVIEW, values, required=("status",))
    filed = session.get(InstrumentRequest, request_id, with_for_update=True)
    if filed is None:
        raise NotFound("Instrument request")
    if filed.status != RequestStatus.PENDING:
        raise Conflict(f"the request was {filed.status} already")
    filed.status, filed.note = fields["status"], fields.get("note")
    filed.reviewed_by_id, filed.reviewed_at = reviewer.id, func.statement_timestamp()
    session.flush()
    session.refresh(filed)
    notify(
        session,
        [filed.requester_id],
        kind=REVIEWED,
        subject=f"Your request for the instrument {filed.name} was {filed.status}",
        body=filed.note or "",
        about=filed,
    )
    return filed


def _check_not_too_many(session: Session, requester: User) -> None:
    session.get_one(User, requester.id, with_for_update=True)  # one request of a person at a time
    own = InstrumentRequest.requester_id == requester.id
    pending = session.scalar(select(func.count()).where(own, InstrumentRequest.status == RequestStatus.PENDING)) or 0
    if pending >= MOST_PENDING:
        raise Conflict(f"{pending} of your requests wait for a decision already: wait until one is decided about")
    frees_place = InstrumentRequest.created_at + A_DAY
    seconds_left = func.extract("epoch", frees_place - func.now())
    latest = select(seconds_left).where(own, frees_place > func.now()).order_by(InstrumentRequest.created_at.desc())
    left = session.scalar(latest.offset(MOST_A_DAY - 1).limit(1))
    if left is not None:
        raise TooManyAttempts(max(1, math.ceil(left)))


def instrument_requests(
    session: Session, viewer: User, request: PageRequest, *, status: RequestStatus | None = None
) -> Page[InstrumentRequest]:
    """The requests that ``viewer`` may see, in order of creation."""
    query = select(InstrumentRequest)
    if not viewer.is_admin:
        query = query.where(InstrumentRequest.requester_id == viewer.id)
    if status is not None:
        query = query.where(InstrumentRequest.status == status)
    return page_of(session, query, _CREATION, request, scope=f"{status}")


def instrument_request_by_id(session: Session, viewer: User, request_id: uuid.UUID) -> InstrumentRequest:
    """Raises ``NotFound`` for what ``viewer`` may not see, too."""
    found = session.get(InstrumentRequest, request_id)
    if found is None or not (viewer.is_admin or found.requester_id == viewer.id):
        raise NotFound("Instrument request")
    return found
