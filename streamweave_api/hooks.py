"""Hooks and the runs of those that call out, for admins."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, Parameter, QueryParameter
from msgspec import UNSET, UnsetType

from streamweave.catalog import tables
from streamweave.catalog.tables import HookRun
from streamweave.hooks.calls import hook_runs
from streamweave.hooks.configuration import create_hook, delete_hook, hook_by_id, restore_hook, update_hook
from streamweave.hooks.trial import HookAnswer, sample_from, try_hook
from streamweave_api.auth import admin_only
from streamweave_api.bodies import Incoming, Outgoing, given, shown
from streamweave_api.pagination import PageAsked
from streamweave_api.resources import Resource, resource_router
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
    return shown(run, HookRunBody, hook_name=run.hook.name)


@post("/{hook_id:uuid}/test", sync_to_thread=True, status_code=200, summary="Test a hook")
def test_hook(service: TheService, hook_id: FromPath[UUID], data: JSONBody[HookSample]) -> HookAnswered | HookNotUsable:
    """Ask a hook about a made-up file, and return its answer. Nothing is changed."""
    sample = sample_from(given(data))
    hook = service.read(hook_by_id, hook_id)
    answer = try_hook(hook, service.reach, sample)
    return shown(answer, HookAnswered) if isinstance(answer, HookAnswer) else shown(answer, HookNotUsable)


hooks_router = resource_router(
    "/api/hooks",
    "Hooks",
    Resource(
        name="hook",
        parameter="hook_id",
        new=NewHook,
        changes=HookChanges,
        body=HookBody,
        table=tables.Hook,
        create=lambda service, session, values: create_hook(session, values, service.reach),
        update=lambda service, session, hook_id, changes: update_hook(session, hook_id, changes, service.reach),
        delete=delete_hook,
        restore=lambda _, session, hook_id: restore_hook(session, hook_id),
        creation="A new hook; its configuration must be one that it takes. A script lies in the facility's folder of "
        "scripts.",
    ),
    test_hook,
)


@get("/", sync_to_thread=True, summary="List the runs of hooks")
def list_hook_runs(
    service: TheService, page: PageAsked, hook_id: Hook = None, file_id: File = None, failed: Failed = False
) -> Response[list[HookRunBody]]:
    """The runs of scripts and webhooks, newest first. Of a hook that has failed for a file, the newest 20 are kept."""
    found = service.read(hook_runs, page, hook_id=hook_id, file_id=file_id, failed=failed)
    return page.response(found, hook_run_body)


hook_runs_router = Router("/api/hook-runs", route_handlers=[list_hook_runs], guards=[admin_only], tags=["Hooks"])
