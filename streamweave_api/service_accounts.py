"""Service accounts, for admins. A password comes in and is never shown."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import ServiceAccount
from streamweave.instruments.service_accounts import (
    create_service_account,
    delete_service_account,
    restore_service_account,
    update_service_account,
)
from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.resources import Resource, resource_router


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


service_accounts_router = resource_router(
    "/api/service-accounts",
    "Service accounts",
    Resource(
        name="service account",
        parameter="account_id",
        new=NewServiceAccount,
        changes=ServiceAccountChanges,
        body=ServiceAccountBody,
        table=ServiceAccount,
        create=lambda service, session, values: create_service_account(session, service.sealer, values),
        update=lambda service, session, account_id, changes: update_service_account(
            session, service.sealer, account_id, changes
        ),
        delete=delete_service_account,
        restore=lambda _, session, account_id: restore_service_account(session, account_id),
        deletion="Delete a service account that no instrument uses; it can be restored.",
    ),
)
