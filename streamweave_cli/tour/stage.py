"""The stage of the tour: `streamweave up --simlab` on free ports, in a home of its own.

The REST service as the tour uses it.

What the tour says, and what it holds the system to.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
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
from rich.table import Table

from streamweave.errors import Permanent

Value = TypeVar("Value")


class TourFailed(Permanent):
    """The system did not do what the tour expected of it."""


@dataclass
class Narration:
    """Speaks to the console and counts what was checked."""

    console: Console
    checked: int = 0
    measured: dict[str, str] = field(default_factory=dict)

    def chapter(self, title: str) -> None:
        """Begin a part of the tour."""
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def say(self, sentence: str) -> None:
        """Tell something."""
        self.console.print(escape(sentence), highlight=False, soft_wrap=True)

    def show(self, body: Any) -> None:
        """Show a body as the service answered it."""
        self.console.print_json(json.dumps(body))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Show some rows."""
        table = Table(box=box.SIMPLE)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
        self.console.print(table)

    def expect(self, holds: bool, sentence: str) -> None:
        """Check an expectation. Raises ``TourFailed``."""
        if not holds:
            raise TourFailed(f"expected: {sentence}")
        self.checked += 1
        self.console.print(f"[green]✓[/green] {escape(sentence)}", highlight=False, soft_wrap=True)

    def wait_for(self, sentence: str, look: Callable[[], Value | None], seconds: float) -> Value:
        """Look again and again until there is something to see. Raises ``TourFailed`` after ``seconds``."""
        started = time.monotonic()
        with self.console.status(sentence):
            while time.monotonic() - started < seconds:
                found = look()
                if found:
                    return found
                time.sleep(0.25)
        raise TourFailed(f"after {seconds:.0f} s still not: {sentence}")


START_SECONDS = 120
STOP_SECONDS = 60
ADMIN_EMAIL = "admin@test.org"


@dataclass(frozen=True)
class Stage:
    """A system that is ready."""

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


class _Output:
    """What the system prints: remembered, and searched for what the tour needs to know."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        self.ready = threading.Event()
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was started with a pipe"
        with self._process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip())
                if re.search(r"^\s*streamweave \| ready$", line.rstrip()):
                    self.ready.set()
        self.ready.set()

    def end(self) -> None:
        """Wait for what is left to read of a process that has ended."""
        self._reader.join(STOP_SECONDS)

    def find(self, what: str) -> str:
        """The address that the system gave for ``what``."""
        for line in self.lines:
            if match := re.search(rf"\b{what}\s+(http://\S+)", line):
                return match.group(1)
        raise TourFailed("the system did not start:\n" + "\n".join(self.lines[-40:]))


@contextmanager
def stage(home: Path, console: Console) -> Iterator[Stage]:
    """Start the system, hand it over when it is ready, and stop it in the end. Raises ``TourFailed``."""
    password = secrets.token_urlsafe(12)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamweave_cli", "up", "--simlab"),
            *("--home", str(home), "--api-port", "0", "--dagster-port", "0"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "STREAMWEAVE_ADMIN_EMAIL": ADMIN_EMAIL,
            "STREAMWEAVE_ADMIN_PASSWORD": password,
            "COLUMNS": "1000",
            "NO_COLOR": "1",
        },
        start_new_session=True,
    )
    output = _Output(process)
    try:
        with console.status("starting Postgres, simulated instruments, Dagster and the REST service"):
            output.ready.wait(START_SECONDS)
        yield Stage(home, output.find("API"), output.find("Dagster"), ADMIN_EMAIL, password)
    finally:
        with console.status("stopping everything"):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            output.end()


RUN_ENDS = ("SUCCESS", "FAILURE", "CANCELED")
RUN_SECONDS = 120


class Client:
    """One person's way to the service: anonymous, or with the token of a login."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)

    def log_in(self, email: str, password: str) -> None:
        """Log in; every later request carries the token."""
        body = self.request("POST", "/auth/jwt/login", 200, data={"username": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {body['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self.request("GET", path, 200, params=query)

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        """Create something, or have something done."""
        return self.request("POST", path, status, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self.request("PATCH", path, 200, json=body)

    def delete(self, path: str) -> None:
        """Remove something."""
        self.request("DELETE", path, 204)

    def request(self, method: str, path: str, status: int, **options: Any) -> Any:
        """The body of an answer. Raises ``TourFailed`` when the answer has another status."""
        answer = self._http.request(method, path, **options)
        if answer.status_code != status:
            raise TourFailed(f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text}")
        return answer.json() if answer.content else None

    def harvest(self, narration: Narration, schedule_id: str) -> str:
        """Trigger a schedule and wait for its run; returns the run's id. Raises ``TourFailed`` when it fails."""
        run_id: str = self.post(f"/api/schedules/{schedule_id}/trigger", status=200)["run_id"]

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/runs/{run_id}")
            return run if run["status"] in RUN_ENDS else None

        run = narration.wait_for(f"run {run_id} to end", ended, RUN_SECONDS)
        narration.expect(run["status"] == "SUCCESS", f"run {run_id[:8]} succeeded")
        return run_id

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
