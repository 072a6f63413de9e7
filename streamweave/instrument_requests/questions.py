"""What is asked about instrument requests: an admin sees all of them, others see their own."""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.tables import InstrumentRequest, RequestStatus, User
from streamweave.errors import NotFound

_CREATION = Order(InstrumentRequest.created_at, InstrumentRequest.id)


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
