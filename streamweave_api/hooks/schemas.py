"""The bodies of hooks."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import HookRun
from streamweave_api.bodies import Incoming, Outgoing


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
    return HookRunBody(
        id=run.id,
        hook_id=run.hook_id,
        hook_name=run.hook.name,
        file_id=run.file_id,
        version_id=run.version_id,
        trigger=run.trigger,
        started_at=run.started_at,
        seconds=run.seconds,
        outcome=run.outcome,
        message=run.message,
        diagnostics=run.diagnostics,
    )
