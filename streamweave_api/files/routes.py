"""Files, for everyone who may see them."""

from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from streamweave.catalog.tables import VersionState
from streamweave.files.commands import try_again
from streamweave.files.questions import file_by_id, files, versions_of
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import shown
from streamweave_api.files.schemas import FileBody, VersionBody, file_body
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

# `state` itself is a reserved word of Litestar's handlers
State = Annotated[VersionState | None, QueryParameter(name="state")]

version_body = partial(shown, body=VersionBody)


@get("/", sync_to_thread=True)
def list_files(
    service: TheService,
    viewer: Viewer,
    page: PageAsked,
    request: Asked,
    instrument_id: FromQuery[UUID | None] = None,
    in_state: State = None,
) -> Response[list[FileBody]]:
    """The files that one may see, newest first."""
    with service.sessions() as session:
        found = files(session, viewer, page, instrument_id=instrument_id, state=in_state)
        return listed(request, found, file_body)


@get("/{file_id:uuid}", sync_to_thread=True)
def show_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> FileBody:
    """One file."""
    with service.sessions() as session:
        return file_body(file_by_id(session, viewer, file_id))


@get("/{file_id:uuid}/versions", sync_to_thread=True)
def list_versions(
    service: TheService,
    viewer: Viewer,
    page: PageAsked,
    request: Asked,
    file_id: FromPath[UUID],
) -> Response[list[VersionBody]]:
    """All versions of a file, newest first."""
    with service.sessions() as session:
        return listed(request, versions_of(session, viewer, file_id, page), version_body)


@post("/{file_id:uuid}/retry", sync_to_thread=True, status_code=200, guards=[admin_only])
def retry_file(service: TheService, viewer: Viewer, file_id: FromPath[UUID]) -> FileBody:
    """Let a file that failed be tried again."""
    with service.sessions.begin() as session:
        return file_body(try_again(session, viewer, file_id))


files_router = Router("/api/files", route_handlers=[list_files, show_file, list_versions, retry_file], tags=["Files"])
