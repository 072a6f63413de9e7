"""Whose a file is, set by admins."""

from uuid import UUID

from litestar import patch
from litestar.params import FromPath, JSONBody

from streamweave.access.grants import set_owner
from streamweave.files.queries import file_by_id
from streamweave_api.access.schemas import Ownership
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import given
from streamweave_api.files.schemas import FileBody, file_body
from streamweave_api.service import TheService


@patch("/{file_id:uuid}", sync_to_thread=True, guards=[admin_only], summary="Set the owner of a file")
def change_owner(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[Ownership]) -> FileBody:
    """Say whose a file is. Its owner sees it."""
    with service.sessions.begin() as session:
        set_owner(session, viewer, file_id, given(data))
        return file_body(file_by_id(session, viewer, file_id))
