"""The progress of a harvest that was launched."""

from litestar import Router, get
from litestar.params import FromPath

from streamweave.harvest.progress import progress_of
from streamweave_api.auth import admin_only
from streamweave_api.bodies import shown
from streamweave_api.dagster import ProgressBody, RunBody
from streamweave_api.openapi.answers import errors
from streamweave_api.service import TheService


@get("/{run_id:str}", sync_to_thread=True, responses=errors(502), summary="Show a run")
def show_run(service: TheService, run_id: FromPath[str]) -> RunBody:
    """One run, as Dagster reports it, and the progress of its transfers as recorded in the catalog."""
    body = service.dagster.run(run_id)
    progress = service.read(progress_of, run_id)
    body.progress = shown(progress, ProgressBody) if progress else None
    return body


runs_router = Router("/api/runs", route_handlers=[show_run], guards=[admin_only], tags=["Runs"])
