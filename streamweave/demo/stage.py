"""The stage of the tour: `streamweave up --simlab` on free ports, in a home of its own."""

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from streamweave.demo.narration import TourFailed

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
            *(sys.executable, "-m", "streamweave.cli", "up", "--simlab"),
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
