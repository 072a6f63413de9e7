"""Who may see which files, for admins: grants on files, instruments and folders.

``grantee_id`` is the user's, group's or project's own id.
"""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.access.grants import (
    file_grants,
    grant_file,
    grant_instrument,
    instrument_grants,
    pending_grants,
    revoke_file_grant,
    revoke_instrument_grant,
    withdraw_pending_grant,
)
from streamweave.catalog.tables import GranteeType, InstrumentGrant
from streamweave_api.auth import Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


class NewGrant(Incoming):
    """To whom a file is granted."""

    grantee_type: GranteeType
    grantee_id: UUID


class NewInstrumentGrant(NewGrant, kw_only=True):
    """To whom an instrument's files are granted: all of them, or those below a folder such as ``share/folder``."""

    path_prefix: str | UnsetType | None = UNSET


class Ownership(Incoming):
    """The owner of a file; null for none."""

    owner_id: UUID | None


class GrantBody(Outgoing):
    """A grant on a file."""

    id: UUID
    file_id: UUID
    grantee_type: GranteeType
    grantee_id: UUID
    granted_at: datetime


class InstrumentGrantBody(Outgoing):
    """A grant on an instrument's present and future files; ``path_prefix`` null means all of them."""

    id: UUID
    instrument_id: UUID
    path_prefix: str | None
    grantee_type: GranteeType
    grantee_id: UUID
    granted_at: datetime


class PendingGrantBody(Outgoing):
    """A grant on a file for a grantee who is not in the catalog yet: an e-mail address or a name."""

    id: UUID
    file_id: UUID
    grantee_type: GranteeType
    name: str
    noted_at: datetime


def instrument_grant_body(grant: InstrumentGrant) -> InstrumentGrantBody:
    """The grant; without a prefix it is on all files."""
    return shown(grant, InstrumentGrantBody, path_prefix=grant.path_prefix or None)


@get("/files/{file_id:uuid}/access", sync_to_thread=True, summary="List the grants on a file")
def list_file_grants(
    service: TheService, viewer: Viewer, page: PageAsked, file_id: FromPath[UUID]
) -> Response[list[GrantBody]]:
    """Who a file is granted to."""
    return page.response(service.read(file_grants, viewer, file_id, page), GrantBody)


@post("/files/{file_id:uuid}/access", sync_to_thread=True, summary="Grant a file")
def add_file_grant(service: TheService, viewer: Viewer, file_id: FromPath[UUID], data: JSONBody[NewGrant]) -> GrantBody:
    """Grant a file to a user, a group or a project."""
    return shown(service.write(grant_file, viewer, file_id, given(data)), GrantBody)


@delete("/files/{file_id:uuid}/access/{grant_id:uuid}", sync_to_thread=True, summary="Revoke a grant on a file")
def remove_file_grant(service: TheService, file_id: FromPath[UUID], grant_id: FromPath[UUID]) -> None:
    """Revoke a grant on a file."""
    service.write(revoke_file_grant, file_id, grant_id)


@get("/instruments/{instrument_id:uuid}/access", sync_to_thread=True, summary="List the grants on an instrument")
def list_instrument_grants(
    service: TheService, page: PageAsked, instrument_id: FromPath[UUID]
) -> Response[list[InstrumentGrantBody]]:
    """Who an instrument's files are granted to."""
    return page.response(service.read(instrument_grants, instrument_id, page), instrument_grant_body)


@post("/instruments/{instrument_id:uuid}/access", sync_to_thread=True, summary="Grant an instrument's files")
def add_instrument_grant(
    service: TheService, instrument_id: FromPath[UUID], data: JSONBody[NewInstrumentGrant]
) -> InstrumentGrantBody:
    """Grant an instrument's present and future files, or those below one of its folders."""
    return instrument_grant_body(service.write(grant_instrument, instrument_id, given(data)))


@delete(
    "/instruments/{instrument_id:uuid}/access/{grant_id:uuid}",
    sync_to_thread=True,
    summary="Revoke a grant on an instrument",
)
def remove_instrument_grant(service: TheService, instrument_id: FromPath[UUID], grant_id: FromPath[UUID]) -> None:
    """Revoke a grant on an instrument."""
    service.write(revoke_instrument_grant, instrument_id, grant_id)


@get("/pending-grants", sync_to_thread=True, summary="List pending grants")
def list_pending_grants(service: TheService, page: PageAsked) -> Response[list[PendingGrantBody]]:
    """What hooks have noted for people, groups and projects that are not in the catalog yet, newest first."""
    return page.response(service.read(pending_grants, page), PendingGrantBody)


@delete("/pending-grants/{pending_id:uuid}", sync_to_thread=True, summary="Remove a pending grant")
def remove_pending_grant(service: TheService, pending_id: FromPath[UUID]) -> None:
    """Remove a pending grant. A hook that runs for the file again records it again."""
    service.write(withdraw_pending_grant, pending_id)


access_router = Router(
    "/api",
    route_handlers=[
        list_file_grants,
        add_file_grant,
        remove_file_grant,
        list_instrument_grants,
        add_instrument_grant,
        remove_instrument_grant,
        list_pending_grants,
        remove_pending_grant,
    ],
    guards=[admin_only],
    tags=["Access"],
)
