"""The body of a run."""

from datetime import datetime

from streamweave_api.bodies import Outgoing


class RunBody(Outgoing):
    """A run; ``status`` is one of Dagster's words, such as QUEUED, STARTED, SUCCESS or FAILURE."""

    run_id: str
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
