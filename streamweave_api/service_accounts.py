"""Service accounts, for admins. A password comes in and is never shown."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.instruments.service_accounts import (
    create_service_account,
    delete_service_account,
    restore_service_account,
    service_account_by_id,
    service_accounts,
    update_service_account,
)
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService


class ServiceAccountChanges(Incoming):
    """Any of a service account's fields. ``allowed_hosts`` change together with ``password`` only."""

    name: str | UnsetType = UNSET
    domain: str | UnsetType | None = UNSET
    username: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    allowed_hosts: list[str] | UnsetType = UNSET


class NewServiceAccount(ServiceAccountChanges, kw_only=True):
    """A service account as it is entered.

    ``allowed_hosts`` are the host names, ``*.`` domains and networks that its password may be sent to. Without them it
    is bound to the host of the first instrument that it is given to.
    """

    name: str
    username: str
    password: str


class ServiceAccountBody(Outgoing):
    """A service account, without its password, which is sent to ``allowed_hosts`` only; none: it is not bound yet."""

    id: UUID
    name: str
    domain: str | None
    username: str
    allowed_hosts: list[str]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@get("/", sync_to_thread=True, summary="List service accounts")
def list_service_accounts(
    service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False
) -> Response[list[ServiceAccountBody]]:
    """All service accounts in order of creation."""
    with service.reading() as session:
        return page.response(service_accounts(session, page, include_deleted=include_deleted), ServiceAccountBody)


@post("/", sync_to_thread=True, summary="Create a service account")
def add_service_account(service: TheService, data: JSONBody[NewServiceAccount]) -> ServiceAccountBody:
    """A new service account."""
    with service.sessions.begin() as session:
        return shown(create_service_account(session, service.sealer, given(data)), ServiceAccountBody)


@get("/{account_id:uuid}", sync_to_thread=True, summary="Show a service account")
def show_service_account(service: TheService, account_id: FromPath[UUID]) -> ServiceAccountBody:
    """One service account."""
    with service.reading() as session:
        return shown(service_account_by_id(session, account_id), ServiceAccountBody)


@patch("/{account_id:uuid}", sync_to_thread=True, summary="Change a service account")
def change_service_account(
    service: TheService, account_id: FromPath[UUID], data: JSONBody[ServiceAccountChanges]
) -> ServiceAccountBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return shown(update_service_account(session, service.sealer, account_id, given(data)), ServiceAccountBody)


@delete("/{account_id:uuid}", sync_to_thread=True, summary="Delete a service account")
def remove_service_account(service: TheService, account_id: FromPath[UUID]) -> None:
    """Delete a service account that no instrument uses; it can be restored."""
    with service.sessions.begin() as session:
        delete_service_account(session, account_id)


@post("/{account_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a service account")
def bring_back_service_account(service: TheService, account_id: FromPath[UUID]) -> ServiceAccountBody:
    """Restore a deleted service account."""
    with service.sessions.begin() as session:
        return shown(restore_service_account(session, account_id), ServiceAccountBody)


service_accounts_router = Router(
    "/api/service-accounts",
    route_handlers=[
        list_service_accounts,
        add_service_account,
        show_service_account,
        change_service_account,
        remove_service_account,
        bring_back_service_account,
    ],
    guards=[admin_only],
    tags=["Service accounts"],
)
