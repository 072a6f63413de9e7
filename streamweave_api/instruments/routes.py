"""Instruments and their scans, for admins."""

from functools import partial
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from streamweave.instruments.commands import create_instrument, delete_instrument, update_instrument
from streamweave.instruments.questions import instrument_by_id, instruments, scans_of
from streamweave_api.auth import admin_only
from streamweave_api.bodies import given, shown
from streamweave_api.instruments.schemas import InstrumentBody, InstrumentChanges, NewInstrument, ScanBody
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

instrument_body = partial(shown, body=InstrumentBody)
scan_body = partial(shown, body=ScanBody)


@get("/", sync_to_thread=True)
def list_instruments(service: TheService, page: PageAsked, request: Asked) -> Response[list[InstrumentBody]]:
    """All instruments in order of creation."""
    with service.sessions() as session:
        return listed(request, instruments(session, page), instrument_body)


@post("/", sync_to_thread=True)
def add_instrument(service: TheService, data: JSONBody[NewInstrument]) -> InstrumentBody:
    """A new instrument; Dagster shows it soon after."""
    with service.sessions.begin() as session:
        created = instrument_body(create_instrument(session, given(data)))
    service.location_reload.request()
    return created


@get("/{instrument_id:uuid}", sync_to_thread=True)
def show_instrument(service: TheService, instrument_id: FromPath[UUID]) -> InstrumentBody:
    """One instrument."""
    with service.sessions() as session:
        return instrument_body(instrument_by_id(session, instrument_id))


@patch("/{instrument_id:uuid}", sync_to_thread=True)
def change_instrument(
    service: TheService, instrument_id: FromPath[UUID], data: JSONBody[InstrumentChanges]
) -> InstrumentBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        changed = instrument_body(update_instrument(session, instrument_id, given(data)))
    service.location_reload.request()
    return changed


@delete("/{instrument_id:uuid}", sync_to_thread=True)
def remove_instrument(service: TheService, instrument_id: FromPath[UUID]) -> None:
    """Remove an instrument that has no files in the catalog."""
    with service.sessions.begin() as session:
        delete_instrument(session, instrument_id)
    service.location_reload.request()


@get("/{instrument_id:uuid}/scans", sync_to_thread=True)
def list_scans(
    service: TheService,
    page: PageAsked,
    request: Asked,
    instrument_id: FromPath[UUID],
) -> Response[list[ScanBody]]:
    """The looks at the instrument's share, newest first."""
    with service.sessions() as session:
        return listed(request, scans_of(session, instrument_id, page), scan_body)


instruments_router = Router(
    "/api/instruments",
    route_handlers=[
        list_instruments,
        add_instrument,
        show_instrument,
        change_instrument,
        remove_instrument,
        list_scans,
    ],
    guards=[admin_only],
    tags=["Instruments"],
)
