"""The whole system with simulated instruments, in a home of its own on free ports, and a client of its REST service.

The demo, the soak and the tests of the guides run it.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich import box
from rich.console import Console
from rich.markup import escape

from streamweave.errors import Permanent
from streamweave_cli.readiness import LOOPBACK, free_port
from streamweave_cli.terminal import folding_table

Value = TypeVar("Value")


class TourFailed(Permanent):
    """The system did not do what was expected of it."""


@dataclass
class Narration:
    """Prints what happens, and counts the expectations that were checked. ``measured`` is for the summary."""

    console: Console
    checked: int = 0
    measured: dict[str, str] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """Begin a part of the tour."""
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def say(self, sentence: str) -> None:
        """Print a sentence on one line."""
        self.console.print(escape(sentence), highlight=False, soft_wrap=True)

    def show(self, body: Any) -> None:
        """Print a body as the service sent it."""
        self.console.print_json(json.dumps(body))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Print rows; None is an empty cell."""
        table = folding_table(*columns)
        table.box = box.SIMPLE
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        self.console.print(table)

    def expect(self, holds: bool, sentence: str) -> None:
        """Check an expectation. Raises ``TourFailed``."""
        if not holds:
            raise TourFailed(f"expected: {sentence}")
        self.checked += 1
        self.console.print(f"[green]✓[/green] {escape(sentence)}", highlight=False, soft_wrap=True)

    def wait_for(self, sentence: str, find: Callable[[], Value | None], seconds: float) -> Value:
        """Ask ``find`` until it finds something. Raises ``TourFailed`` after ``seconds``."""
        started = time.monotonic()
        with self.console.status(sentence):
            while time.monotonic() - started < seconds:
                if found := find():
                    return found
                time.sleep(POLL_SECONDS)
        raise TourFailed(f"after {seconds:.0f} s still not: {sentence}")


POLL_SECONDS = 0.25
START_SECONDS = 120
STOP_SECONDS = 60
ADMIN_EMAIL = "admin@test.org"
READY = re.compile(r"^\s*streamweave \| ready$", re.MULTILINE)


@dataclass(frozen=True)
class DemoSystem:
    """A system that is ready. ``api`` and ``dagster`` are addresses."""

    home: Path
    api: str
    dagster: str
    admin_email: str
    admin_password: str

    @property
    def shares(self) -> Path:
        """The folders that the simulated instruments share."""
        return self.home / "simlab"

    @property
    def storage(self) -> Path:
        """The folder of the storage locations."""
        return self.home / "storage"


@contextmanager
def demo_system(home: Path, console: Console) -> Iterator[DemoSystem]:
    """Start the system, yield it when it is ready, and stop it in the end. Raises ``TourFailed``."""
    password, api, dagster = secrets.token_urlsafe(12), free_port(), free_port()
    admin = {"STREAMWEAVE_ADMIN_EMAIL": ADMIN_EMAIL, "STREAMWEAVE_ADMIN_PASSWORD": password}
    command = [sys.executable, "-m", "streamweave_cli", "up", "--simlab", "--home", str(home)]
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = subprocess.Popen(
            [*command, "--api-port", str(api), "--dagster-port", str(dagster)],
            stdout=log,
            stderr=log,
            env={**os.environ, **admin, "NO_COLOR": "1"},
            start_new_session=True,
        )
        try:
            with console.status("starting Postgres, simulated instruments, Dagster and the REST service"):
                _wait_until_ready(process, Path(log.name))
            yield DemoSystem(home, f"http://{LOOPBACK}:{api}", f"http://{LOOPBACK}:{dagster}", ADMIN_EMAIL, password)
        finally:
            with console.status("stopping everything"):
                stop_system(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not READY.search(output := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise TourFailed("the system did not start:\n" + "\n".join(output.splitlines()[-40:]))
        time.sleep(POLL_SECONDS)


def stop_system(process: "subprocess.Popen[bytes]") -> None:
    """Stop a `streamweave up`, by force if it does not end within `STOP_SECONDS`."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


RUN_ENDS = ("SUCCESS", "FAILURE", "CANCELED")
RUN_SECONDS = 120


class Client:
    """A client of the service: anonymous until `log_in`. Requests raise ``TourFailed`` on an unexpected status."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)

    def log_in(self, email: str, password: str) -> None:
        """Log in; every later request carries the token."""
        body = self.request("POST", "/auth/jwt/login", 200, data={"username": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {body['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """GET, expecting 200."""
        return self.request("GET", path, 200, params=query)

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        """POST of a JSON body."""
        return self.request("POST", path, status, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """PATCH with a JSON body, expecting 200."""
        return self.request("PATCH", path, 200, json=body)

    def delete(self, path: str) -> None:
        """DELETE, expecting 204."""
        self.request("DELETE", path, 204)

    def request(self, method: str, path: str, status: int, **options: Any) -> Any:
        """The parsed body of the response; None if it is empty."""
        response = self._http.request(method, path, **options)
        if response.status_code != status:
            raise TourFailed(f"{method} {path} answered {response.status_code} instead of {status}: {response.text}")
        return response.json() if response.content else None

    def harvest(self, narration: Narration, schedule_id: str) -> None:
        """Trigger a schedule and wait for its run to end. Raises ``TourFailed`` when it fails."""
        run_id = self.post(f"/api/schedules/{schedule_id}/trigger", status=200)["run_id"]

        def ended() -> str | None:
            status: str = self.get(f"/api/runs/{run_id}")["status"]
            return status if status in RUN_ENDS else None

        status = narration.wait_for(f"run {run_id} to end", ended, RUN_SECONDS)
        narration.expect(status == "SUCCESS", f"run {run_id[:8]} succeeded")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
