"""Fixity checks of a file, for its viewers; damage, sweeps and holds, for admins. Times are in UTC."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from streamweave.instruments.instruments import instrument_by_id
from streamweave.preservation.damage import damaged_copies, release
from streamweave.preservation.report import checks_of_file, fixity_state_of_instrument, holds, sweeps
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Outgoing, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

Repaired = Annotated[bool | None, QueryParameter(description="Only copies that are repaired, or only others")]


class FixityCheckBody(Outgoing):
    """One re-reading of one copy.

    ``outcome`` is ``intact``, ``damaged``, ``missing`` or ``unreadable``; ``found`` says what is wrong.
    """

    id: UUID
    file_id: UUID
    transfer_id: UUID
    storage_location_id: UUID
    sweep_id: UUID
    checked_at: datetime
    outcome: str
    found: str | None


class FixityStandingBody(Outgoing):
    """An instrument's archived copies: how long ago the longest unread one was proven, and how many should have been.

    ``damaged`` counts the copies that are damaged and not repaired.
    """

    copies: int
    oldest_reread_at: datetime | None
    overdue: int
    damaged: int


class DamagedCopyBody(Outgoing):
    """A copy that was found damaged. ``destination_path`` is the full path; what is there is left as it is.

    While its transfer's ``status`` is ``completed``, nothing is concluded yet. ``repaired_by`` is the transfer whose
    copy has taken its place.
    """

    transfer_id: UUID
    file_id: UUID
    version_id: UUID
    instrument_id: UUID
    storage_location_id: UUID
    source_path: str
    destination_path: str
    status: str
    damage: str
    damage_found_at: datetime | None
    last_verified_at: datetime | None
    repaired_by: UUID | None


class FixitySweepBody(Outgoing):
    """A process that re-reads a storage location. Without ``finished_at`` it is under way, or was killed.

    ``damaged`` counts the damaged, missing and unreadable copies among the ``files``.
    """

    id: UUID
    storage_location_id: UUID
    kind: str
    dagster_run_id: str | None
    started_at: datetime
    finished_at: datetime | None
    files: int
    bytes: int
    damaged: int
    trouble: str | None


class FixityHoldBody(Outgoing):
    """So much was damaged at once that nothing is repaired in this storage location until a person releases it."""

    id: UUID
    storage_location_id: UUID
    sweep_id: UUID
    held_at: datetime
    because: str
    released_at: datetime | None
    released_by_id: UUID | None


@get("/{file_id:uuid}/fixity", sync_to_thread=True, summary="List the re-readings of a file")
def list_file_checks(
    service: TheService, viewer: Viewer, page: PageAsked, file_id: FromPath[UUID]
) -> Response[list[FixityCheckBody]]:
    """The re-readings of all archived copies of a file, newest first."""
    return page.response(service.read(checks_of_file, viewer, file_id, page), FixityCheckBody)


@get("/{instrument_id:uuid}/fixity", sync_to_thread=True, summary="Sum up the re-readings of an instrument's copies")
def show_standing(service: TheService, instrument_id: FromPath[UUID]) -> FixityStandingBody:
    """How long ago the copies of an instrument's files were re-read, and how many are overdue or damaged."""
    with service.reading() as session:
        instrument_by_id(session, instrument_id)
        return shown(fixity_state_of_instrument(session, instrument_id, service.now()), FixityStandingBody)


@get("/damage", sync_to_thread=True, summary="List damaged copies")
def list_damage(
    service: TheService, page: PageAsked, repaired: Repaired = None, instrument_id: FromQuery[UUID | None] = None
) -> Response[list[DamagedCopyBody]]:
    """The archived copies that re-readings found damaged, missing or unreadable, the last found first."""
    found = service.read(damaged_copies, page, repaired=repaired, instrument_id=instrument_id)
    return page.response(found, DamagedCopyBody)


@get("/sweeps", sync_to_thread=True, summary="List sweeps")
def list_sweeps(service: TheService, page: PageAsked) -> Response[list[FixitySweepBody]]:
    """The sweeps over all storage locations, newest first; those under way too."""
    return page.response(service.read(sweeps, page), FixitySweepBody)


@get("/holds", sync_to_thread=True, summary="List holds")
def list_holds(service: TheService, page: PageAsked) -> Response[list[FixityHoldBody]]:
    """The storage locations that were held because too much was damaged at once, newest first; released ones too."""
    return page.response(service.read(holds, page), FixityHoldBody)


@post("/holds/{hold_id:uuid}/release", sync_to_thread=True, status_code=200, summary="Release a hold")
def release_hold(service: TheService, viewer: Viewer, hold_id: FromPath[UUID]) -> FixityHoldBody:
    """Release a hold after a check: the next sweep re-reads what was found, and repairs what is still damaged."""
    return shown(service.write(release, viewer, hold_id, service.now()), FixityHoldBody)


fixity_router = Router(
    "/api/fixity",
    route_handlers=[list_damage, list_sweeps, list_holds, release_hold],
    guards=[admin_only],
    tags=["Fixity"],
)
