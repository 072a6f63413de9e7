"""Transfers, for everyone who may see their files."""

from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from streamweave.catalog.tables import TransferStatus
from streamweave.files.transfers import transfer_by_id, transfers
from streamweave_api.auth import Viewer
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService
from streamweave_api.transfers.schemas import TransferBody, transfer_body


@get("/", sync_to_thread=True, summary="List transfers")
def list_transfers(
    service: TheService,
    viewer: Viewer,
    page: PageAsked,
    request: Asked,
    file_id: FromQuery[UUID | None] = None,
    instrument_id: FromQuery[UUID | None] = None,
    status: FromQuery[TransferStatus | None] = None,
) -> Response[list[TransferBody]]:
    """The transfers of files that one may see, newest first."""
    with service.reading() as session:
        found = transfers(session, viewer, page, file_id=file_id, instrument_id=instrument_id, status=status)
        return listed(request, found, transfer_body)


@get("/{transfer_id:uuid}", sync_to_thread=True, summary="Show a transfer")
def show_transfer(service: TheService, viewer: Viewer, transfer_id: FromPath[UUID]) -> TransferBody:
    """One transfer."""
    with service.reading() as session:
        return transfer_body(transfer_by_id(session, viewer, transfer_id))


transfers_router = Router("/api/transfers", route_handlers=[list_transfers, show_transfer], tags=["Transfers"])
