"""Users: registering, the viewer's own account, and management by admins. A password comes in and is never shown."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.access.accounts import mail_registered, register_oneself
from streamweave.access.users import create_user, delete_user, update_user, user_by_id, users
from streamweave.catalog.tables import User
from streamweave.errors import NotAllowed
from streamweave_api.auth import OPEN_TO_ALL, ClientAddress, Viewer, admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.openapi.answers import errors
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService, apart_for_passwords, mailed


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
    return shown(user, UserBody, is_superuser=user.is_admin)


def managed_user_body(user: User) -> ManagedUserBody:
    return shown(user, ManagedUserBody, is_superuser=user.is_admin)


@post("/auth/register", opt=OPEN_TO_ALL, responses=errors(403, 429), summary="Register as a user")
async def register_user(
    service: TheService, data: JSONBody[Registration], client_address: ClientAddress
) -> Response[UserBody]:
    """A new user, who sees nothing until something is granted. Where registration is closed, admins make users.

    An address that has an account gets the same answer, and nothing changes. Where mails are sent, its owner is
    notified, and a new account can be used once its address is verified with the mail that was sent to it.
    """
    if not service.settings.registration_open:
        raise NotAllowed("Registration is closed: ask an admin for an account")
    by_mail = bool(service.mailer.host)
    user, is_told = await apart_for_passwords(
        register_oneself,
        service.sessions,
        service.login_limits,
        client_address,
        data.email,
        data.password,
        by_mail=by_mail,
    )
    return Response(user_body(user), background=mailed(service, mail_registered, data.email) if is_told else None)


@get("/users/me", sync_to_thread=False, summary="Show one's own account")
def who_am_i(viewer: Viewer) -> UserBody:
    """Who the token or cookie belongs to."""
    return user_body(viewer)


users_router = Router("/", route_handlers=[register_user, who_am_i], tags=["Users"])


@get("/", sync_to_thread=True, summary="List users")
def list_users(service: TheService, page: PageAsked) -> Response[list[ManagedUserBody]]:
    """All users in order of creation."""
    return page.response(service.read(users, page), managed_user_body)


@post("/", summary="Create a user")
async def add_user(service: TheService, data: JSONBody[NewUser]) -> ManagedUserBody:
    """A new user, also where registration is closed."""
    return managed_user_body(await apart_for_passwords(service.write, create_user, given(data)))


@get("/{user_id:uuid}", sync_to_thread=True, summary="Show a user")
def show_user(service: TheService, user_id: FromPath[UUID]) -> ManagedUserBody:
    """One user."""
    return managed_user_body(service.read(user_by_id, user_id))


@patch("/{user_id:uuid}", summary="Change a user")
async def change_user(service: TheService, user_id: FromPath[UUID], data: JSONBody[UserChanges]) -> ManagedUserBody:
    """Change the fields that are given. A new password or role, or being switched off, ends all tokens of the user."""
    return managed_user_body(await apart_for_passwords(service.write, update_user, user_id, given(data)))


@delete("/{user_id:uuid}", sync_to_thread=True, summary="Remove a user")
def remove_user(service: TheService, user_id: FromPath[UUID]) -> None:
    """Remove a user for good, with their tokens. The last active admin stays: 409."""
    service.write(delete_user, user_id)


user_management_router = Router(
    "/api/users",
    route_handlers=[list_users, add_user, show_user, change_user, remove_user],
    guards=[admin_only],
    tags=["Users"],
)
