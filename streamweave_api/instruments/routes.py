"""Instruments and their scans, for admins."""

from functools import partial
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.exceptions import ClientException
from litestar.params import FromPath, JSONBody

from streamweave.harvest.instrument_changes import update_instrument
from streamweave.harvest.share_guard import acknowledge_cleanup
from streamweave.instruments.connection_test import ShareAnswer, try_share
from streamweave.instruments.instruments import (
    create_instrument,
    delete_instrument,
    instrument_by_id,
    instruments,
    restore_instrument,
    scans_of,
)
from streamweave.instruments.schedules import destinations, why_no_destination
from streamweave_api.auth import admin_only
from streamweave_api.bodies import given, shown
from streamweave_api.deletion import IncludeDeleted
from streamweave_api.fixity.routes import show_standing
from streamweave_api.instruments.schemas import (
    HarvestStarted,
    InstrumentBody,
    InstrumentChanges,
    NewInstrument,
    ScanBody,
    ShareAnswered,
    ShareRefused,
)
from streamweave_api.openapi.errors import errors
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

instrument_body = partial(shown, body=InstrumentBody)
scan_body = partial(shown, body=ScanBody)


@get("/", sync_to_thread=True, summary="List instruments")
def list_instruments(
    service: TheService, page: PageAsked, request: Asked, include_deleted: IncludeDeleted = False
) -> Response[list[InstrumentBody]]:
    """All instruments in order of creation."""
    with service.reading() as session:
        return listed(request, instruments(session, page, include_deleted=include_deleted), instrument_body)


@post("/", sync_to_thread=True, summary="Enter an instrument")
def add_instrument(service: TheService, data: JSONBody[NewInstrument]) -> InstrumentBody:
    """A new instrument; Dagster shows it soon after."""
    with service.sessions.begin() as session:
        created = instrument_body(create_instrument(session, given(data)))
    service.location_reload.request()
    return created


@get("/{instrument_id:uuid}", sync_to_thread=True, summary="Show an instrument")
def show_instrument(service: TheService, instrument_id: FromPath[UUID]) -> InstrumentBody:
    """One instrument."""
    with service.reading() as session:
        return instrument_body(instrument_by_id(session, instrument_id))


@patch("/{instrument_id:uuid}", sync_to_thread=True, summary="Change an instrument")
def change_instrument(
    service: TheService, instrument_id: FromPath[UUID], data: JSONBody[InstrumentChanges]
) -> InstrumentBody:
    """Change the fields that are given.

    Another host, share or base path of an instrument that has files needs ``address_change``: without it the answer is
    409, with a sentence that says what either answer would do. So is it while a harvest of the instrument is under way.
    """
    with service.sessions.begin() as session:
        changed = instrument_body(update_instrument(session, instrument_id, given(data)))
    service.location_reload.request()
    return changed


@delete("/{instrument_id:uuid}", sync_to_thread=True, summary="Delete an instrument")
def remove_instrument(service: TheService, instrument_id: FromPath[UUID]) -> None:
    """Delete an instrument with its schedules and hooks; its files stay, and it can be restored."""
    with service.sessions.begin() as session:
        delete_instrument(session, instrument_id)
    service.location_reload.request()


@post("/{instrument_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore an instrument")
def bring_back_instrument(service: TheService, instrument_id: FromPath[UUID]) -> InstrumentBody:
    """Take a deleted instrument back into use, with the schedules and hooks that were deleted with it."""
    with service.sessions.begin() as session:
        restored = instrument_body(restore_instrument(session, instrument_id))
    service.location_reload.request()
    return restored


@post(
    "/{instrument_id:uuid}/test",
    sync_to_thread=True,
    status_code=200,
    summary="Test the connection to an instrument's share",
)
def test_instrument(service: TheService, instrument_id: FromPath[UUID]) -> ShareAnswered | ShareRefused:
    """List the base folder of the share now, and tell what came of it."""
    with service.reading() as session:
        instrument = instrument_by_id(session, instrument_id)
    answer = try_share(instrument, service.sealer)
    return shown(answer, ShareAnswered) if isinstance(answer, ShareAnswer) else shown(answer, ShareRefused)


@post(
    "/{instrument_id:uuid}/harvest",
    sync_to_thread=True,
    status_code=200,
    responses=errors(502),
    summary="Harvest an instrument now",
)
def harvest_instrument(service: TheService, instrument_id: FromPath[UUID]) -> HarvestStarted:
    """Harvest the instrument now, into everything that its enabled schedules name."""
    with service.reading() as session:
        instrument = instrument_by_id(session, instrument_id)
        problem = "" if destinations(session, instrument_id) else why_no_destination(session, instrument_id)
    if not instrument.enabled:
        raise ClientException("The instrument is disabled: enable it to harvest by hand")
    if problem:
        raise ClientException(f"Nothing can be harvested: {problem}")
    return HarvestStarted(run_id=service.dagster.launch_harvest(instrument.slug), instrument_id=instrument_id)


@post(
    "/{instrument_id:uuid}/acknowledge-cleanup",
    sync_to_thread=True,
    status_code=200,
    summary="Say that an instrument's share was cleaned up",
)
def acknowledge(service: TheService, instrument_id: FromPath[UUID]) -> InstrumentBody:
    """Let the next look that finds the share empty or shrunken be believed: that one alone, within 24 hours.

    What is missing then is called gone from the source; the archive keeps it.
    """
    with service.sessions.begin() as session:
        return instrument_body(acknowledge_cleanup(session, instrument_id))


@get("/{instrument_id:uuid}/scans", sync_to_thread=True, summary="List the looks at an instrument's share")
def list_scans(
    service: TheService,
    page: PageAsked,
    request: Asked,
    instrument_id: FromPath[UUID],
) -> Response[list[ScanBody]]:
    """The looks at the instrument's share, newest first."""
    with service.reading() as session:
        return listed(request, scans_of(session, instrument_id, page), scan_body)


instruments_router = Router(
    "/api/instruments",
    route_handlers=[
        list_instruments,
        add_instrument,
        show_instrument,
        change_instrument,
        remove_instrument,
        bring_back_instrument,
        test_instrument,
        harvest_instrument,
        acknowledge,
        list_scans,
        show_standing,
    ],
    guards=[admin_only],
    tags=["Instruments"],
)
