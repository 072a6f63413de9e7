"""The bodies of users. A password goes in and never comes out."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import User
from streamweave_api.bodies import Incoming, Outgoing


class Registration(Incoming):
    """Who wants to be a user."""

    email: str
    password: str


class UserChanges(Incoming):
    """Any of a user's fields, for admins."""

    email: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    is_verified: bool | UnsetType = UNSET


class NewUser(UserChanges, kw_only=True):
    """A user as an admin enters them."""

    email: str
    password: str


class UserBody(Outgoing):
    """A user."""

    id: UUID
    email: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    role: str


class ManagedUserBody(UserBody, kw_only=True):
    """A user as shown to admins. Who ``awaits_verification`` has registered by mail, and can't log in yet."""

    awaits_verification: bool
    created_at: datetime
    updated_at: datetime


def user_body(user: User) -> UserBody:
    """The user as shown to themselves."""
    return UserBody(
        id=user.id,
        email=user.email,
        is_active=user.is_active,
        is_superuser=user.is_admin,
        is_verified=user.is_verified,
        role=user.role,
    )


def managed_user_body(user: User) -> ManagedUserBody:
    """The user as shown to admins."""
    return ManagedUserBody(
        id=user.id,
        email=user.email,
        is_active=user.is_active,
        is_superuser=user.is_admin,
        is_verified=user.is_verified,
        role=user.role,
        awaits_verification=user.awaits_verification,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
