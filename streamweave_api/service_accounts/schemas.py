"""The bodies of service accounts. A password goes in and never comes out."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


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
