"""Hooks and the runs of those that call out, for admins."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, Parameter, QueryParameter
from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import HookRun
from streamweave.hooks.configuration import create_hook, delete_hook, hook_by_id, hooks, restore_hook, update_hook
from streamweave.hooks.recorded_hook import hook_runs
from streamweave.hooks.trial import HookAnswer, sample_from, try_hook
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.service import TheService

Hook = Annotated[UUID | None, QueryParameter(description="Only runs of this hook")]
File = Annotated[UUID | None, QueryParameter(description="Only runs for this file")]
Failed = Annotated[bool, QueryParameter(description="Only runs without an answer that could be used")]


class HookChanges(Incoming):
    """Any of a hook's fields. ``config`` is what the hook takes: built-in ones each their own, the others one kind."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    trigger: str | UnsetType = UNSET
    implementation: Annotated[
        str | UnsetType, Parameter(description="`builtin` unless given; each other one needs its own field below")
    ] = UNSET
    builtin_name: str | UnsetType | None = UNSET
    script_path: Annotated[
        str | UnsetType | None, Parameter(description="For `python_script`: below the facility's folder of scripts")
    ] = UNSET
    webhook_url: Annotated[str | UnsetType | None, Parameter(description="For `http_webhook`")] = UNSET
    webhook_secret: Annotated[
        str | UnsetType,
        Parameter(
            description="Sealed as it comes in, and never shown. May be left out of a change that keeps the address",
            schema_extra={"write_only": True, "format": "password"},
        ),
    ] = UNSET
    config: dict[str, Any] | UnsetType = UNSET
    instrument_id: UUID | UnsetType | None = UNSET
    priority: int | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewHook(HookChanges, kw_only=True):
    """A hook as it is entered; without an instrument it is global."""

    name: str
    trigger: str


class HookBody(Outgoing):
    """A hook, without its secret."""

    id: UUID
    name: str
    description: str | None
    trigger: str
    implementation: str
    builtin_name: str | None
    script_path: str | None
    webhook_url: str | None
    config: dict[str, Any]
    instrument_id: UUID | None
    priority: int
    enabled: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class HookSample(Incoming):
    """A file that is made up; but for ``source_path`` all has a default."""

    source_path: str
    instrument_slug: str | UnsetType = UNSET
    size_bytes: int | UnsetType = UNSET
    mtime: datetime | UnsetType = UNSET
    xxhash: str | UnsetType | None = UNSET
    sha256: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


class HookAnswered(Outgoing, kw_only=True):
    """What the hook said: before a transfer a ``decision``, after one ``metadata`` and ``grants``."""

    ok: Literal[True] = True
    seconds: float
    decision: str | None
    reason: str | None
    destination: str | None
    metadata: dict[str, str] | None
    grants: list[str] | None


class HookNotUsable(Outgoing, kw_only=True):
    """The hook gave no answer that can be used; ``diagnostics`` is the end of a script's standard error."""

    ok: Literal[False] = False
    error_kind: str
    detail: str
    diagnostics: str | None


class HookRunBody(Outgoing):
    """One run of a script or webhook, and what came of it."""

    id: UUID
    hook_id: UUID
    hook_name: str
    file_id: UUID
    version_id: UUID
    trigger: str
    started_at: datetime
    seconds: float
    outcome: str
    message: str
    diagnostics: str | None


def hook_run_body(run: HookRun) -> HookRunBody:
    """The run, with its hook's name."""
    return shown(run, HookRunBody, hook_name=run.hook.name)


@get("/", sync_to_thread=True, summary="List hooks")
def list_hooks(
    service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False
) -> Response[list[HookBody]]:
    """All hooks in order of creation."""
    with service.reading() as session:
        return page.response(hooks(session, page, include_deleted=include_deleted), HookBody)


@post("/", sync_to_thread=True, summary="Create a hook")
def add_hook(service: TheService, data: JSONBody[NewHook]) -> HookBody:
    """A new hook; its configuration must be one that it takes. A script lies in the facility's folder of scripts."""
    with service.sessions.begin() as session:
        return shown(create_hook(session, given(data), service.reach), HookBody)


@get("/{hook_id:uuid}", sync_to_thread=True, summary="Show a hook")
def show_hook(service: TheService, hook_id: FromPath[UUID]) -> HookBody:
    """One hook."""
    with service.reading() as session:
        return shown(hook_by_id(session, hook_id), HookBody)


@patch("/{hook_id:uuid}", sync_to_thread=True, summary="Change a hook")
def change_hook(service: TheService, hook_id: FromPath[UUID], data: JSONBody[HookChanges]) -> HookBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        return shown(update_hook(session, hook_id, given(data), service.reach), HookBody)


@delete("/{hook_id:uuid}", sync_to_thread=True, summary="Delete a hook")
def remove_hook(service: TheService, hook_id: FromPath[UUID]) -> None:
    """Delete a hook; it can be restored."""
    with service.sessions.begin() as session:
        delete_hook(session, hook_id)


@post("/{hook_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a hook")
def bring_back_hook(service: TheService, hook_id: FromPath[UUID]) -> HookBody:
    """Restore a deleted hook."""
    with service.sessions.begin() as session:
        return shown(restore_hook(session, hook_id), HookBody)


@post("/{hook_id:uuid}/test", sync_to_thread=True, status_code=200, summary="Test a hook")
def test_hook(service: TheService, hook_id: FromPath[UUID], data: JSONBody[HookSample]) -> HookAnswered | HookNotUsable:
    """Ask a hook about a made-up file, and return its answer. Nothing is changed."""
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


@get("/", sync_to_thread=True, summary="List the runs of hooks")
def list_hook_runs(
    service: TheService, page: PageAsked, hook_id: Hook = None, file_id: File = None, failed: Failed = False
) -> Response[list[HookRunBody]]:
    """The runs of scripts and webhooks, newest first. Of a hook that has failed for a file, the newest 20 are kept."""
    with service.reading() as session:
        found = hook_runs(session, page, hook_id=hook_id, file_id=file_id, failed=failed)
        return page.response(found, hook_run_body)


hook_runs_router = Router("/api/hook-runs", route_handlers=[list_hook_runs], guards=[admin_only], tags=["Hooks"])
