"""Instrument requests: every user may file one, admins decide."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import RequestStatus
from streamweave.instruments.requests import (
    instrument_request_by_id,
    instrument_requests,
    request_instrument,
    review_instrument_request,
)
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.openapi.answers import errors
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

Status = Annotated[RequestStatus | None, QueryParameter(description="Only requests in this state")]


class NewInstrumentRequest(Incoming):
    """A wish for an instrument."""

    name: str
    justification: str
    location: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class Review(Incoming):
    """What an admin decides: ``status`` is approved or rejected."""

    status: str
    note: str | UnsetType | None = UNSET


class InstrumentRequestBody(Outgoing):
    """A wish for an instrument, and what became of it: ``status`` is pending, approved or rejected."""

    id: UUID
    requester_id: UUID
    name: str
    location: str | None
    description: str | None
    justification: str
    status: str
    note: str | None
    reviewed_by_id: UUID | None
    reviewed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@get("/", sync_to_thread=True, summary="List instrument requests")
def list_instrument_requests(
    service: TheService, viewer: Viewer, page: PageAsked, status: Status = None
) -> Response[list[InstrumentRequestBody]]:
    """One's own requests in order of creation; for an admin everybody's."""
    found = service.read(instrument_requests, viewer, page, status=status)
    return page.response(found, InstrumentRequestBody)


@post("/", sync_to_thread=True, responses=errors(429), summary="Ask for an instrument")
def add_instrument_request(
    service: TheService, viewer: Viewer, data: JSONBody[NewInstrumentRequest]
) -> InstrumentRequestBody:
    """Ask for an instrument; all admins are notified. Each user may have 10 waiting requests, and file 20 a day."""
    return shown(service.write(request_instrument, viewer, given(data)), InstrumentRequestBody)


@get("/{request_id:uuid}", sync_to_thread=True, summary="Show an instrument request")
def show_instrument_request(service: TheService, viewer: Viewer, request_id: FromPath[UUID]) -> InstrumentRequestBody:
    """One request."""
    return shown(service.read(instrument_request_by_id, viewer, request_id), InstrumentRequestBody)


@patch("/{request_id:uuid}", sync_to_thread=True, guards=[admin_only], summary="Decide about an instrument request")
def review_request(
    service: TheService, viewer: Viewer, request_id: FromPath[UUID], data: JSONBody[Review]
) -> InstrumentRequestBody:
    """Decide on a request, finally; the requester is notified."""
    return shown(service.write(review_instrument_request, viewer, request_id, given(data)), InstrumentRequestBody)


instrument_requests_router = Router(
    "/api/instrument-requests",
    route_handlers=[list_instrument_requests, add_instrument_request, show_instrument_request, review_request],
    tags=["Instrument requests"],
)
