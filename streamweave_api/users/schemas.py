"""The bodies of users and logins."""

from uuid import UUID

import msgspec

from streamweave.catalog.tables import User
from streamweave_api.bodies import Incoming, Outgoing


class Registration(Incoming):
    """Who wants to be a user."""

    email: str
    password: str


class Login(msgspec.Struct):
    """The form of an OAuth 2 password grant (RFC 6749, section 4.3.2); its other fields don't matter here."""

    username: str
    password: str


class Token(Outgoing):
    """What to send as ``Authorization: Bearer …``."""

    access_token: str
    token_type: str = "bearer"


class UserBody(Outgoing):
    """A user."""

    id: UUID
    email: str
    is_active: bool
    is_superuser: bool
    is_verified: bool
    role: str


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
