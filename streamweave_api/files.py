"""Files, for users who may see them."""

from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.di import Provide
from litestar.params import FromPath, JSONBody

from streamweave.access.grants import set_owner
from streamweave.files.commands import reinstate, try_again, withdraw
from streamweave.files.listing import NEWEST_FIRST
from streamweave.files.queries import (
    count_of_files,
    file_by_id,
    files,
    history_of,
    scans_of_file,
    version_by_number,
    versions_of,
)
from streamweave.files.transfers import transfers
from streamweave_api.access import Ownership
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import given, shown
from streamweave_api.downloads import download_archive, download_file, download_version, provide_conditions
from streamweave_api.file_schemas import (
    Count,
    EventBody,
    FileBody,
    FileScanBody,
    SelectionAsked,
    SortBy,
    VersionBody,
    Withdrawal,
    file_body,
    provide_selection,
)
from streamweave_api.fixity import list_file_checks
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService
from streamweave_api.transfers import TransferBody, transfer_body


@get("/", sync_to_thread=True, summary="List, filter and search files")
def list_files(
    service: TheService,
    viewer: Viewer,
    page: PageAsked,
    selection: SelectionAsked,
    sort: SortBy = NEWEST_FIRST,
    count: Count = False,
) -> Response[list[FileBody]]:
    """The visible files that pass all filters, newest first unless ``sort`` says otherwise.

    ``metadata.<key>=<value>`` asks for files with that metadata; dots separate the keys of nested objects.
    """
    with service.reading() as session:
        answer = page.response(files(session, viewer, page, selection, sort), FileBody)
        if count:
            answer.headers["X-Total-Count"] = str(count_of_files(session, viewer, selection))
        return answer


@get("/{file_id:uuid}", sync_to_thread=True, summary="Show a file")
def show_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> FileBody:
    """One file."""
    with service.reading() as session:
        return file_body(file_by_id(session, viewer, file_id))


@patch("/{file_id:uuid}", sync_to_thread=True, guards=[admin_only], summary="Set the owner of a file")
def change_owner(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[Ownership]) -> FileBody:
    """Set the user who owns a file, and so sees it; null for none."""
    with service.sessions.begin() as session:
        set_owner(session, viewer, file_id, given(data))
        return file_body(file_by_id(session, viewer, file_id))


@get("/{file_id:uuid}/versions", sync_to_thread=True, summary="List the versions of a file")
def list_versions(
    service: TheService, viewer: Viewer, page: PageAsked, file_id: FromPath[UUID]
) -> Response[list[VersionBody]]:
    """All versions of a file, newest first."""
    with service.reading() as session:
        return page.response(versions_of(session, viewer, file_id, page), VersionBody)


@get("/{file_id:uuid}/versions/{number:int}", sync_to_thread=True, summary="Show a version")
def show_version(service: TheService, viewer: Viewer, file_id: FromPath[UUID], number: FromPath[int]) -> VersionBody:
    """One version of a file."""
    with service.reading() as session:
        return shown(version_by_number(session, viewer, file_id, number), VersionBody)


@get("/{file_id:uuid}/transfers", sync_to_thread=True, summary="List the transfers of a file")
def list_file_transfers(
    service: TheService, viewer: Viewer, page: PageAsked, file_id: FromPath[UUID]
) -> Response[list[TransferBody]]:
    """The transfers of all versions of a file, newest first."""
    with service.reading() as session:
        file_by_id(session, viewer, file_id)
        return page.response(transfers(session, viewer, page, file_id=file_id), transfer_body)


@get("/{file_id:uuid}/scans", sync_to_thread=True, summary="List the scans since a file was discovered")
def list_file_scans(
    service: TheService, viewer: Viewer, page: PageAsked, file_id: FromPath[UUID]
) -> Response[list[FileScanBody]]:
    """The scans of the file's share since it was discovered, newest first."""
    with service.reading() as session:
        return page.response(scans_of_file(session, viewer, file_id, page), FileScanBody)


@get("/{file_id:uuid}/history", sync_to_thread=True, summary="Show the history of a file")
def show_history(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> list[EventBody]:
    """A file's events, oldest first."""
    with service.reading() as session:
        return [shown(event, EventBody) for event in history_of(session, viewer, file_id)]


@post("/{file_id:uuid}/withdraw", sync_to_thread=True, status_code=200, guards=[admin_only], summary="Withdraw a file")
def withdraw_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[Withdrawal]) -> FileBody:
    """Hide a file from all but admins, and let its identifier resolve to a tombstone. The archive keeps the content."""
    with service.sessions.begin() as session:
        return file_body(withdraw(session, viewer, file_id, data.reason))


@delete(
    "/{file_id:uuid}/withdraw",
    sync_to_thread=True,
    status_code=204,
    guards=[admin_only],
    summary="Reinstate a withdrawn file",
)
def reinstate_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> None:
    """Reinstate a withdrawn file."""
    with service.sessions.begin() as session:
        reinstate(session, viewer, file_id)


@post("/{file_id:uuid}/retry", sync_to_thread=True, status_code=200, guards=[admin_only], summary="Retry a failed file")
def retry_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> FileBody:
    """Schedule a failed file for another attempt."""
    with service.sessions.begin() as session:
        return file_body(try_again(session, viewer, file_id))


files_router = Router(
    "/api/files",
    route_handlers=[
        list_files,
        show_file,
        change_owner,
        list_versions,
        show_version,
        list_file_transfers,
        list_file_scans,
        show_history,
        list_file_checks,
        download_file,
        download_version,
        download_archive,
        retry_file,
        withdraw_file,
        reinstate_file,
    ],
    dependencies={
        "selection": Provide(provide_selection, sync_to_thread=False),
        "conditions": Provide(provide_conditions, sync_to_thread=False),
    },
    tags=["Files"],
)
