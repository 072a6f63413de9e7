"""Whether a process answers, one question for each kind, and free TCP ports on loopback."""

import json
import socket
from pathlib import Path

import httpx

from streamweave.errors import StartError
from streamweave.instruments.dagster import orchestrator

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int) -> bool:
    """Whether a server could not listen on the port."""
    with socket.socket() as probe:
        # as servers do: connections of an earlier server that linger in TIME_WAIT are no obstacle
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


TIMEOUT_SECONDS = 5.0
WHOLE = """{
  workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } }
  instance { daemonHealth { allDaemonStatuses { required healthy } } }
}"""


def listens(port: int) -> bool:
    """Whether a server accepts connections on the port. Dagster's code server does once it has loaded its code."""
    try:
        socket.create_connection((LOOPBACK, port), TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether a GET of ``url`` succeeds."""
    try:
        return httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False).is_success
    except httpx.TransportError:
        return False


def dagster_is_whole(url: str, token: str = "") -> bool:
    """Whether the webserver at ``url`` has loaded the code location and sees all daemons alive.

    ``token`` is what its guard lets programs in by.
    Raises ``StartError`` with Dagster's message when the code location can't be loaded.
    """
    try:
        with orchestrator(url, token) as client:
            answer = client.post("/graphql", json={"query": WHOLE}, timeout=TIMEOUT_SECONDS)
    except httpx.TransportError:
        return False
    if not answer.is_success:
        return False
    data = answer.json()["data"]
    locations = data["workspaceOrError"].get("locationEntries", [])
    for location in locations:
        if (location["locationOrLoadError"] or {}).get("__typename") == "PythonError":
            message = location["locationOrLoadError"]["message"].strip().splitlines()[0]
            raise StartError(f"Dagster can't load the code location {location['name']}: {message}")
    loaded = [location for location in locations if location["loadStatus"] == "LOADED"]
    daemons = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(loaded) and all(daemon["healthy"] for daemon in daemons if daemon["required"])


def is_complete_json(path: Path) -> bool:
    """Whether the file is there and written to its end."""
    try:
        json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return True
