"""What the bodies of groups and projects have in common.

Whose a file is, set by admins.
"""

from datetime import datetime
from uuid import UUID

from litestar import patch
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.access.grants import set_owner
from streamweave.files.queries import file_by_id
from streamweave_api.access import Ownership
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given
from streamweave_api.file_schemas import FileBody, file_body
from streamweave_api.service import TheService


class NamedChanges(Incoming):
    """Any of the fields. ``streamweave.access.groups`` has their rules."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class NamedBody(Outgoing):
    """What is shown of it."""

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@patch("/{file_id:uuid}", sync_to_thread=True, guards=[admin_only], summary="Set the owner of a file")
def change_owner(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[Ownership]) -> FileBody:
    """Say whose a file is. Its owner sees it."""
    with service.sessions.begin() as session:
        set_owner(session, viewer, file_id, given(data))
        return file_body(file_by_id(session, viewer, file_id))
