"""How a harvest that was triggered is getting on."""

from litestar import Router, get
from litestar.params import FromPath

from streamweave_api.auth import admin_only
from streamweave_api.bodies import shown
from streamweave_api.documented_errors import errors
from streamweave_api.runs.schemas import RunBody
from streamweave_api.service import TheService


@get("/{run_id:str}", sync_to_thread=True, responses=errors(502))
def show_run(service: TheService, run_id: FromPath[str]) -> RunBody:
    """One run, as Dagster tells it."""
    return shown(service.dagster.run(run_id), RunBody)


runs_router = Router("/api/runs", route_handlers=[show_run], guards=[admin_only], tags=["Runs"])
