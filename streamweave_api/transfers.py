"""Transfers, for users who may see their files."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from streamweave.catalog.tables import Transfer, TransferStatus
from streamweave.files.queries import transfer_by_id, transfers
from streamweave_api.auth import Viewer
from streamweave_api.bodies import Outgoing, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


class TransferBody(Outgoing):
    """One attempt to archive a version. Checksums are XXH64; ``destination_path`` is the full path."""

    id: UUID
    file_id: UUID
    version_id: UUID
    storage_location_id: UUID
    destination_path: str | None
    transfer_adapter: str
    status: str
    attempt: int
    bytes_transferred: int | None
    source_checksum: str | None
    dest_checksum: str | None
    checksum_verified: bool
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None
    dagster_run_id: str | None


def transfer_body(transfer: Transfer) -> TransferBody:
    """The transfer, with the full path and Dagster's run."""
    base_path, path = transfer.storage_location.base_path, transfer.destination_path
    full_path = None if path is None else f"{base_path}/{path}"
    run_id = transfer.run.dagster_run_id if transfer.run else None
    return shown(transfer, TransferBody, destination_path=full_path, dagster_run_id=run_id)


@get("/", sync_to_thread=True, summary="List transfers")
def list_transfers(
    service: TheService,
    viewer: Viewer,
    page: PageAsked,
    file_id: FromQuery[UUID | None] = None,
    instrument_id: FromQuery[UUID | None] = None,
    status: FromQuery[TransferStatus | None] = None,
) -> Response[list[TransferBody]]:
    """The transfers of files that one may see, newest first."""
    found = service.read(transfers, viewer, page, file_id=file_id, instrument_id=instrument_id, status=status)
    return page.response(found, transfer_body)


@get("/{transfer_id:uuid}", sync_to_thread=True, summary="Show a transfer")
def show_transfer(service: TheService, viewer: Viewer, transfer_id: FromPath[UUID]) -> TransferBody:
    """One transfer."""
    return transfer_body(service.read(transfer_by_id, viewer, transfer_id))


transfers_router = Router("/api/transfers", route_handlers=[list_transfers, show_transfer], tags=["Transfers"])
