"""The programs of the system, in the order in which they start, and their environment."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamweave.settings import Settings
from streamweave_cli.dagster_home import DATABASE_VARIABLE, LOCATION
from streamweave_cli.databases import DAGSTER, for_dagster, sibling
from streamweave_cli.home import Home
from streamweave_cli.readiness import LOOPBACK, answers, dagster_is_whole, is_complete_json, listens
from streamweave_cli.supervisor import Program

TOKEN_VARIABLE = "STREAMWEAVE_DAGSTER_TOKEN"


@dataclass(frozen=True)
class Ports:
    """Where each server listens on loopback."""

    api: int
    dagster: int
    code_server: int


def simlab(home: Home, environment: Mapping[str, str]) -> Program:
    """The simulated instruments; their manifest appears when all shares answer."""
    home.manifest.unlink(missing_ok=True)  # the one of an earlier start
    command = _module("simlab", "serve", "--folder", home.simlab, "--storage-root", home.storage)
    command += ["--manifest", str(home.manifest)]
    return Program("simlab", command, environment, lambda: is_complete_json(home.manifest))


def preparation(environment: Mapping[str, str]) -> Program:
    """Makes Dagster's tables, and ends on record the runs that an earlier, killed system left as running."""
    return Program("preparation", _module("streamweave_dagster.preparation"), environment)


def code_server(ports: Ports, environment: Mapping[str, str]) -> Program:
    """Serves the code location; runs are started by the same Python, whatever PATH says."""
    command = _module("dagster", "code-server", "start", "-m", "streamweave_dagster.definitions")
    command += ["--location-name", LOCATION, "--host", LOOPBACK, "--port", str(ports.code_server)]
    command += ["--use-python-environment-entry-point"]
    return Program("code-server", command, environment, lambda: listens(ports.code_server), 300)


def daemon(workspace: Path, environment: Mapping[str, str]) -> Program:
    """Runs sensors, schedules and the queue. It has no address: the webserver knows whether it is healthy."""
    return Program("daemon", _module("streamweave_dagster.daemon", "run", "-w", workspace), environment)


def webserver(ports: Ports, workspace: Path, environment: Mapping[str, str]) -> Program:
    """Dagster's UI and GraphQL behind their guard; ready when the code location is loaded and the daemon alive."""
    command = _module("streamweave_dagster.webserver", "--host", LOOPBACK, "--port", ports.dagster, "-w", workspace)
    url, token = f"http://{LOOPBACK}:{ports.dagster}", environment.get(TOKEN_VARIABLE, "")
    return Program("dagster", command, environment, lambda: dagster_is_whole(url, token), 300)


def api(ports: Ports, environment: Mapping[str, str]) -> Program:
    """The REST service, last: when its /health answers, everything does."""
    command = _module("streamweave_api", "--host", LOOPBACK, "--port", ports.api)
    environment = {**environment, "STREAMWEAVE_WARN_AT_START": "false"}  # the preparation does
    return Program("api", command, environment, lambda: answers(f"http://{LOOPBACK}:{ports.api}/health"))


def _module(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", name, *map(str, arguments)]


def plain_environment() -> dict[str, str]:
    """Our own environment without the admin's password, which no child needs; output comes line by line."""
    inherited = {name: value for name, value in os.environ.items() if name != "STREAMWEAVE_ADMIN_PASSWORD"}
    return {**inherited, "PYTHONUNBUFFERED": "1"}


def system_environment(home: Home, settings: Settings, ports: Ports) -> dict[str, str]:
    """The environment of the processes that are StreamWeave or Dagster, for a catalog that was prepared.

    A token for the guard of Dagster's webserver is made up unless the settings name one.
    """
    database_url = str(settings.database_url)
    return {
        **plain_environment(),
        "STREAMWEAVE_HOME": str(home.root),
        "STREAMWEAVE_DATABASE_URL": database_url,
        "STREAMWEAVE_ENCRYPTION_KEYS": settings.encryption_keys.get_secret_value(),
        "STREAMWEAVE_SECRET_KEY": settings.secret_key.get_secret_value(),
        "STREAMWEAVE_CERTIFICATE_KEY": settings.certificate_key.get_secret_value(),
        "STREAMWEAVE_API_URL": f"http://{LOOPBACK}:{ports.api}",
        "STREAMWEAVE_DAGSTER_URL": f"http://{LOOPBACK}:{ports.dagster}",
        "STREAMWEAVE_PUBLIC_URL": os.environ.get("STREAMWEAVE_PUBLIC_URL") or f"http://{LOOPBACK}:{ports.api}",
        TOKEN_VARIABLE: settings.dagster_token.get_secret_value() or secrets.token_urlsafe(32),
        DATABASE_VARIABLE: for_dagster(sibling(database_url, DAGSTER)),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
