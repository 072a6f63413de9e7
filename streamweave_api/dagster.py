"""Dagster over its GraphQL (Dagster 1.13): launching and showing runs, and reloading the code location.

The code location reads the catalog's rows once, when it is loaded; it is reloaded after changes of the configuration.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from streamweave.errors import NotFound, OrchestratorUnavailable
from streamweave.instruments.dagster import (
    JOB_NAME,
    LOCATION_NAME,
    ask,
    harvest_run_config,
    harvest_run_tags,
    message_of,
    orchestrator,
    reload_code_location,
)
from streamweave_api.bodies import Outgoing

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
    ... on PipelineNotFoundError { message }
    ... on UnauthorizedError { message }
  }
}
"""
RUN = """
query Run($runId: ID!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run { runId status startTime endTime }
    ... on PythonError { message }
  }
}
"""
RUN_ERRORS = """
query RunErrors($runId: ID!, $cursor: String, $limit: Int!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run {
      eventConnection(afterCursor: $cursor, limit: $limit) {
        events { __typename ... on ErrorEvent { error { message } } ... on RunFailureEvent { message } }
        cursor
        hasMore
      }
    }
  }
}
"""


REPOSITORY_NAME = "__repository__"
EVENTS_AT_ONCE = 1000
FAILED = "FAILURE"

logger = logging.getLogger(__name__)


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


class Dagster:
    """Dagster behind its webserver's address. Every method may raise ``OrchestratorUnavailable``."""

    def __init__(self, url: str, token: str = "") -> None:
        self._client = orchestrator(url, token)

    def close(self) -> None:
        self._client.close()

    def launch_harvest(self, slug: str) -> str:
        """Start a run of the job ``harvest`` for the instrument ``slug``; the run's id."""
        tags = [{"key": key, "value": value} for key, value in harvest_run_tags(slug).items()]
        params = {
            "selector": {
                "repositoryLocationName": LOCATION_NAME,
                "repositoryName": REPOSITORY_NAME,
                "jobName": JOB_NAME,
            },
            "runConfigData": harvest_run_config(slug),
            "executionMetadata": {"tags": tags},
        }
        answer = self._ask(LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise OrchestratorUnavailable(f"Dagster did not start the harvest: {message_of(answer)}")
        return str(answer["run"]["runId"])

    def run(self, run_id: str) -> RunBody:
        """The state of the run. Raises ``NotFound``."""
        answer = self._ask(RUN, {"runId": run_id})["runOrError"]
        if answer["__typename"] == "RunNotFoundError":
            raise NotFound("Run")
        if answer["__typename"] != "Run":
            raise OrchestratorUnavailable(f"Dagster can't report on the run: {message_of(answer)}")
        return RunBody(
            run_id=answer["runId"],
            status=answer["status"],
            started_at=_time(answer["startTime"]),
            ended_at=_time(answer["endTime"]),
            error=self._error_of(run_id) if answer["status"] == FAILED else None,
        )

    def reload_location(self) -> None:
        """Have the code location read the catalog's configuration anew."""
        reload_code_location(self._client)

    def _error_of(self, run_id: str) -> str | None:
        """The first error of a failed run: later ones follow from it. The run's own event is the last resort."""
        cursor, more, last_resort = None, True, None
        while more:
            variables = {"runId": run_id, "cursor": cursor, "limit": EVENTS_AT_ONCE}
            events = self._ask(RUN_ERRORS, variables)["runOrError"].get("eventConnection") or {}
            for event in events.get("events", []):
                if error := event.get("error"):
                    return str(error["message"]).strip()
                last_resort = event.get("message") or last_resort
            cursor, more = events.get("cursor"), events.get("hasMore", False)
        return last_resort

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        return ask(self._client, query, variables)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class LocationReload:
    """Reloads in the background, once for all the changes that come within ``gather_seconds``.

    A Dagster that isn't up is no error: it reads the catalog when it starts.
    """

    def __init__(self, reload: Callable[[], None], gather_seconds: float = 1.0) -> None:
        self._reload = reload
        self._gather_seconds = gather_seconds
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="location-reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request(self) -> None:
        """Have the location reloaded soon. Returns at once."""
        self._wanted.set()

    def stop(self) -> None:
        """End the thread, after the reload that may be under way."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        while self._wanted.wait() and not self._stopping.wait(self._gather_seconds):
            self._wanted.clear()
            self._reload_once()

    def _reload_once(self) -> None:
        try:
            self._reload()
        except OrchestratorUnavailable as error:
            logger.warning("the code location was not reloaded: %s", error)
        else:
            logger.info("the code location was reloaded")
