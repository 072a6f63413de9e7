"""The progress of a harvest that was launched."""

from datetime import datetime

from litestar import Router, get
from litestar.params import FromPath

from streamweave.harvest.report import progress_of
from streamweave_api.auth import admin_only
from streamweave_api.bodies import Outgoing, shown
from streamweave_api.openapi.answers import errors
from streamweave_api.service import TheService


class ProgressBody(Outgoing):
    """How far the transfers of a run are, at most a second old while it runs.

    ``files`` are done, archived or not; ``bytes`` counts theirs, and what has been read of large files under way. The
    rates are those of the last half minute. ``seconds_left`` is null while nothing can be said about it.
    """

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    files_per_second: float
    bytes_per_second: float
    seconds_left: float | None


class RunBody(Outgoing):
    """A run; ``status`` is one of Dagster's words, such as QUEUED, STARTED, SUCCESS or FAILURE.

    ``progress`` is null while it transfers nothing yet.
    """

    run_id: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    progress: ProgressBody | None = None


@get("/{run_id:str}", sync_to_thread=True, responses=errors(502), summary="Show a run")
def show_run(service: TheService, run_id: FromPath[str]) -> RunBody:
    """One run, as Dagster reports it, and the progress of its transfers as recorded in the catalog."""
    body = shown(service.dagster.run(run_id), RunBody)
    with service.reading() as session:
        progress = progress_of(session, run_id)
    body.progress = shown(progress, ProgressBody) if progress else None
    return body


runs_router = Router("/api/runs", route_handlers=[show_run], guards=[admin_only], tags=["Runs"])
