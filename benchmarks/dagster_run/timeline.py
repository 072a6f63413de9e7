"""A run's events, as Dagster's webserver lists them, and the times between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from streamweave.instruments.dagster import orchestrator

EVENTS = """
query Events($runId: ID!, $cursor: String) {
  runOrError(runId: $runId) {
    ... on Run {
      eventConnection(afterCursor: $cursor, limit: 1000) {
        events { ... on MessageEvent { timestamp eventType stepKey message } }
        cursor
        hasMore
      }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Event:
    """``at`` is in seconds since 1970; ``kind`` and ``message`` are Dagster's words."""

    at: float
    kind: str
    step: str | None
    message: str


def events_of(dagster_url: str, token: str, run_id: str) -> list[Event]:
    """Everything on record about a run, in order."""
    with orchestrator(dagster_url, token) as client:
        return [_event(event) for event in _events(client, run_id) if event.get("eventType")]


def _events(client: httpx.Client, run_id: str) -> Iterator[dict[str, Any]]:
    cursor, more = None, True
    while more:
        variables = {"runId": run_id, "cursor": cursor}
        answer = client.post("/graphql", json={"query": EVENTS, "variables": variables}).raise_for_status().json()
        page = answer["data"]["runOrError"]["eventConnection"]
        yield from page["events"]
        cursor, more = page["cursor"], page["hasMore"]


def _event(event: dict[str, Any]) -> Event:
    return Event(int(event["timestamp"]) / 1000, event["eventType"], event["stepKey"], event["message"])


@dataclass(frozen=True, slots=True)
class LaunchParts:
    """Where the time from launch to start event goes, in seconds by part, in order."""

    seconds: dict[str, float]

    @classmethod
    def of(cls, launched_at: float, events: Sequence[Event]) -> Self:
        """``launched_at`` is the caller's clock as it asked for the run, on the same machine as Dagster's."""
        times = [launched_at, *[_first(events, is_end) for is_end in MARKS.values()]]
        return cls({part: end - begin for part, begin, end in zip(MARKS, times, times[1:], strict=False)})


MARKS: dict[str, Callable[[Event], bool]] = {
    "run made and queued": lambda event: event.kind == "RUN_ENQUEUED",
    "waiting in the queue": lambda event: event.kind == "RUN_STARTING",
    "process started, Dagster imported": lambda event: event.message.startswith("Started process for run"),
    "our definitions imported and loaded": lambda event: event.kind == "RUN_START",
}
"""The parts of a launch, and the event that ends each."""


def _first(events: Sequence[Event], is_end: Callable[[Event], bool]) -> float:
    return next(event.at for event in events if is_end(event))
