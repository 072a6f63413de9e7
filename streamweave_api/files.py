"""Files, for users who may see them. Sizes in bytes, times in UTC."""

from dataclasses import fields
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import field

from streamweave.access.grants import set_owner
from streamweave.catalog.tables import FileVersion, VersionState
from streamweave.errors import InvalidInput
from streamweave.files.commands import reinstate, try_again, withdraw
from streamweave.files.listing import NEWEST_FIRST, Sort
from streamweave.files.queries import (
    count_of_files,
    file_by_id,
    files,
    history_of,
    scans_of_file,
    transfers,
    version_by_number,
    versions_of,
)
from streamweave.files.selection import LARGEST_SIZE, LONGEST_SEARCH, Selection
from streamweave_api.access import Ownership
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.fixity import list_file_checks
from streamweave_api.pagination import Asked, PageAsked
from streamweave_api.service import TheService
from streamweave_api.transfers import TransferBody, transfer_body

SelectionAsked = NamedDependency[Selection]
METADATA = "metadata."
PAGING = frozenset({"limit", "cursor", "sort", "count"})
FILTERS = frozenset({"q", *(each.name for each in fields(Selection))} - {"search", "metadata"})
# `state` itself is a reserved word of Litestar's handlers
State = Annotated[VersionState | None, QueryParameter(name="state", description="The state of its newest version")]
Project = Annotated[UUID | None, QueryParameter(description="Granted to this project, as file, folder or instrument")]
From = Annotated[datetime | None, QueryParameter(description="Earliest mtime at the source, with its time zone")]
To = Annotated[datetime | None, QueryParameter(description="First mtime at the source that is too late")]
MinSize = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_SIZE, description="Smallest size in bytes")]
MaxSize = Annotated[int | None, QueryParameter(ge=0, le=LARGEST_SIZE, description="Largest size in bytes")]
Extension = Annotated[
    str | None, QueryParameter(min_length=1, max_length=33, description="After the name's last dot, in any case: tif")
]
Search = Annotated[
    str | None,
    QueryParameter(
        name="q", min_length=1, max_length=LONGEST_SEARCH, description="Words that all occur in path or metadata"
    ),
]
SortBy = Annotated[Sort, QueryParameter(name="sort", description="What to sort by; a minus means descending")]
Count = Annotated[bool, QueryParameter(description="Count all of them, into the header X-Total-Count")]


class FileBody(Outgoing):
    """A file: its record, and the state of its newest version."""

    id: UUID
    persistent_id: str
    persistent_id_type: str
    instrument_id: UUID
    source_path: str
    filename: str
    size_bytes: int
    source_mtime: datetime
    xxhash: str | None
    sha256: str | None
    first_discovered_at: datetime
    metadata_: dict[str, Any]
    owner_id: UUID | None
    gone_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    version: int
    acquisition_day: date
    state: str
    reason: str
    state_since: datetime


class VersionBody(Outgoing):
    """One content of a file.

    ``unfinished`` says why it was archived though the instrument may not have finished it; ``found_by_rereading`` that
    size and mtime were those of the version before; ``source_verified_at`` when the source was last read again
    and had this content.
    """

    id: UUID
    file_id: UUID
    number: int
    is_newest: bool
    size_bytes: int
    source_mtime: datetime
    acquisition_day: date
    clock_skew_seconds: float | None
    xxhash: str | None
    sha256: str | None
    state: str
    reason: str
    state_since: datetime
    discovered_at: datetime
    failures: int
    retry_at: datetime | None
    archived_at: datetime | None
    unfinished: str | None
    found_by_rereading: bool
    source_verified_at: datetime | None
    enrichment_error: str | None


class FileScanBody(Outgoing):
    """One scan of a file's share, without what it found else: that may be others' files."""

    id: UUID
    outcome: str
    started_at: datetime
    finished_at: datetime | None


class EventBody(Outgoing):
    """What happened to a file; ``streamweave.files.queries`` has the words of ``event``."""

    at: datetime
    event: str
    version: int | None
    detail: str | None
    storage_location: str | None
    transfer_id: UUID | None


class ArchiveRequest(Incoming):
    """Which files go into a ZIP; empty where filters in the address select them."""

    file_ids: list[UUID] = field(default_factory=list)


class Withdrawal(Incoming):
    """Why a file is withdrawn; its tombstone shows it."""

    reason: str


def file_body(newest: FileVersion) -> FileBody:
    """The file of a newest version, whose record is loaded."""
    of_version = ("xxhash", "sha256", "acquisition_day", "state", "reason", "state_since")
    return shown(newest.file, FileBody, version=newest.number, **{name: getattr(newest, name) for name in of_version})


def provide_selection(
    request: Asked,
    instrument_id: FromQuery[UUID | None] = None,
    in_state: State = None,
    project_id: Project = None,
    owner_id: FromQuery[UUID | None] = None,
    acquired_from: From = None,
    acquired_to: To = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    extension: Extension = None,
    search: Search = None,
) -> Selection:
    """The dependency ``selection``: which files are asked for. Raises ``InvalidInput`` for unknown parameters.

    ``metadata.<key>=<value>`` asks for files with that metadata; dots lead into nested objects.
    """
    return Selection(
        instrument_id=instrument_id,
        state=in_state,
        project_id=project_id,
        owner_id=owner_id,
        acquired_from=acquired_from,
        acquired_to=acquired_to,
        min_size=min_size,
        max_size=max_size,
        extension=extension,
        search=search,
        metadata=_metadata(request),
    )


def _metadata(request: Asked) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in request.query_params.multi_items():
        key = name.removeprefix(METADATA)
        if name.startswith(METADATA) and key:
            pairs.append((key, value))
        elif name not in FILTERS | PAGING:
            raise InvalidInput(name, "unknown parameter")
    return tuple(pairs)


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
    return file_body(service.read(file_by_id, viewer, file_id))


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
    return page.response(service.read(versions_of, viewer, file_id, page), VersionBody)


@get("/{file_id:uuid}/versions/{number:int}", sync_to_thread=True, summary="Show a version")
def show_version(service: TheService, viewer: Viewer, file_id: FromPath[UUID], number: FromPath[int]) -> VersionBody:
    """One version of a file."""
    return shown(service.read(version_by_number, viewer, file_id, number), VersionBody)


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
    return page.response(service.read(scans_of_file, viewer, file_id, page), FileScanBody)


@get("/{file_id:uuid}/history", sync_to_thread=True, summary="Show the history of a file")
def show_history(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> list[EventBody]:
    """A file's events, oldest first."""
    return [shown(event, EventBody) for event in service.read(history_of, viewer, file_id)]


@post("/{file_id:uuid}/withdraw", sync_to_thread=True, status_code=200, guards=[admin_only], summary="Withdraw a file")
def withdraw_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[Withdrawal]) -> FileBody:
    """Hide a file from all but admins, and let its identifier resolve to a tombstone. The archive keeps the content."""
    return file_body(service.write(withdraw, viewer, file_id, data.reason))


@delete(
    "/{file_id:uuid}/withdraw",
    sync_to_thread=True,
    status_code=204,
    guards=[admin_only],
    summary="Reinstate a withdrawn file",
)
def reinstate_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> None:
    """Reinstate a withdrawn file."""
    service.write(reinstate, viewer, file_id)


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
        retry_file,
        withdraw_file,
        reinstate_file,
    ],
    dependencies={"selection": Provide(provide_selection, sync_to_thread=False)},
    tags=["Files"],
)
