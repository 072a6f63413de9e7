"""What hooks that call out were asked, for admins."""

from typing import Annotated
from uuid import UUID

from litestar import Response, Router, get
from litestar.params import QueryParameter

from streamweave.hooks.recorded_hook import hook_runs
from streamweave_api.auth import admin_only
from streamweave_api.hooks.schemas import HookRunBody, hook_run_body
from streamweave_api.pagination import Asked, PageAsked, listed
from streamweave_api.service import TheService

Hook = Annotated[UUID | None, QueryParameter(description="Only runs of this hook")]
File = Annotated[UUID | None, QueryParameter(description="Only runs for this file")]
Failed = Annotated[bool, QueryParameter(description="Only runs without an answer that could be used")]


@get("/", sync_to_thread=True, summary="List the runs of hooks")
def list_hook_runs(
    service: TheService,
    page: PageAsked,
    request: Asked,
    hook_id: Hook = None,
    file_id: File = None,
    failed: Failed = False,
) -> Response[list[HookRunBody]]:
    """The runs of scripts and webhooks, newest first. Of a hook that has failed for a file, the newest 20 are kept."""
    with service.reading() as session:
        found = hook_runs(session, page, hook_id=hook_id, file_id=file_id, failed=failed)
        return listed(request, found, hook_run_body)


hook_runs_router = Router("/api/hook-runs", route_handlers=[list_hook_runs], guards=[admin_only], tags=["Hooks"])
