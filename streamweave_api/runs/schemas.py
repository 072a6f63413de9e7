"""The body of a run."""

from datetime import datetime

from streamweave_api.bodies import Outgoing


class ProgressBody(Outgoing):
    """How far the transfers of a run are, a second ago or less while it goes on.

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
