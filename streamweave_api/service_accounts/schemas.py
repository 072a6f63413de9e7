"""The bodies of service accounts. A password goes in and never comes out."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class ServiceAccountChanges(Incoming):
    """Any of a service account's fields."""

    name: str | UnsetType = UNSET
    domain: str | UnsetType | None = UNSET
    username: str | UnsetType = UNSET
    password: str | UnsetType = UNSET


class NewServiceAccount(ServiceAccountChanges, kw_only=True):
    """A service account as it is entered."""

    name: str
    username: str
    password: str


class ServiceAccountBody(Outgoing):
    """A service account, without its password."""

    id: UUID
    name: str
    domain: str | None
    username: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
