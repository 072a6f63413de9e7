"""Hooks, for admins."""

from functools import partial
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from streamweave.hooks.configuration import (
    create_hook,
    delete_hook,
    hook_by_id,
    hooks,
    restore_hook,
    update_hook,
)
from streamweave.hooks.trial import HookAnswer, sample_from, try_hook
from streamweave_api.auth import admin_only
from streamweave_api.bodies import given, shown
from streamweave_api.deletion import IncludeDeleted
from streamweave_api.hooks.schemas import HookAnswered, HookBody, HookChanges, HookNotUsable, HookSample, NewHook
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

hook_body = partial(shown, body=HookBody)


@get("/", sync_to_thread=True, summary="List hooks")
def list_hooks(
    service: TheService, page: PageAsked, request: Asked, include_deleted: IncludeDeleted = False
) -> Response[list[HookBody]]:
    """All hooks in order of creation."""
    with service.reading() as session:
        return listed(request, hooks(session, page, include_deleted=include_deleted), hook_body)


@post("/", sync_to_thread=True, summary="Enter a hook")
def add_hook(service: TheService, data: JSONBody[NewHook]) -> HookBody:
    """A new hook; its configuration must be one that it takes. A script lies in the facility's folder of scripts."""
    with service.sessions.begin() as session:
        return hook_body(create_hook(session, given(data), service.reach))


@get("/{hook_id:uuid}", sync_to_thread=True, summary="Show a hook")
def show_hook(service: TheService, hook_id: FromPath[UUID]) -> HookBody:
    """One hook."""
    with service.reading() as session:
        return hook_body(hook_by_id(session, hook_id))


@patch("/{hook_id:uuid}", sync_to_thread=True, summary="Change a hook")
def change_hook(service: TheService, hook_id: FromPath[UUID], data: JSONBody[HookChanges]) -> HookBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return hook_body(update_hook(session, hook_id, given(data), service.reach))


@delete("/{hook_id:uuid}", sync_to_thread=True, summary="Delete a hook")
def remove_hook(service: TheService, hook_id: FromPath[UUID]) -> None:
    """Delete a hook; it can be restored."""
    with service.sessions.begin() as session:
        delete_hook(session, hook_id)


@post("/{hook_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a hook")
def bring_back_hook(service: TheService, hook_id: FromPath[UUID]) -> HookBody:
    """Take a deleted hook back into use."""
    with service.sessions.begin() as session:
        return hook_body(restore_hook(session, hook_id))


@post("/{hook_id:uuid}/test", sync_to_thread=True, status_code=200, summary="Test a hook")
def test_hook(service: TheService, hook_id: FromPath[UUID], data: JSONBody[HookSample]) -> HookAnswered | HookNotUsable:
    """Ask a hook about a file that is made up, and tell what it answered. Nothing is changed."""
    sample = sample_from(given(data))
    with service.reading() as session:
        hook = hook_by_id(session, hook_id)
    answer = try_hook(hook, service.reach, sample)
    return shown(answer, HookAnswered) if isinstance(answer, HookAnswer) else shown(answer, HookNotUsable)


hooks_router = Router(
    "/api/hooks",
    route_handlers=[list_hooks, add_hook, show_hook, change_hook, remove_hook, bring_back_hook, test_hook],
    guards=[admin_only],
    tags=["Hooks"],
)
