"""Users, for admins."""

from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from streamweave.access.users import create_user, delete_user, update_user, user_by_id, users
from streamweave_api.auth import admin_only
from streamweave_api.bodies import given
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import Service, TheService
from streamweave_api.threads import apart_for_passwords
from streamweave_api.users.schemas import ManagedUserBody, NewUser, UserChanges, managed_user_body


@get("/", sync_to_thread=True, summary="List users")
def list_users(service: TheService, page: PageAsked, request: Asked) -> Response[list[ManagedUserBody]]:
    """All users in order of creation."""
    with service.reading() as session:
        return listed(request, users(session, page), managed_user_body)


@post("/", summary="Make a user")
async def add_user(service: TheService, data: JSONBody[NewUser]) -> ManagedUserBody:
    """A new user, also where registration is closed."""
    return await apart_for_passwords(_add, service, data)


@get("/{user_id:uuid}", sync_to_thread=True, summary="Show a user")
def show_user(service: TheService, user_id: FromPath[UUID]) -> ManagedUserBody:
    """One user."""
    with service.reading() as session:
        return managed_user_body(user_by_id(session, user_id))


@patch("/{user_id:uuid}", summary="Change a user")
async def change_user(service: TheService, user_id: FromPath[UUID], data: JSONBody[UserChanges]) -> ManagedUserBody:
    """Change the fields that are given. A new password or role, or being switched off, ends all tokens of the user."""
    return await apart_for_passwords(_change, service, user_id, data)


@delete("/{user_id:uuid}", sync_to_thread=True, summary="Remove a user")
def remove_user(service: TheService, user_id: FromPath[UUID]) -> None:
    """Remove a user for good, with their tokens. The last active admin stays: 409."""
    with service.sessions.begin() as session:
        delete_user(session, user_id)


def _add(service: Service, data: NewUser) -> ManagedUserBody:
    with service.sessions.begin() as session:
        return managed_user_body(create_user(session, given(data)))


def _change(service: Service, user_id: UUID, data: UserChanges) -> ManagedUserBody:
    with service.sessions.begin() as session:
        return managed_user_body(update_user(session, user_id, given(data)))


user_management_router = Router(
    "/api/users",
    route_handlers=[list_users, add_user, show_user, change_user, remove_user],
    guards=[admin_only],
    tags=["Users"],
)
