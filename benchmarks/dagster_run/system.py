"""The whole system in a home of its own, as ``streamweave up`` runs it."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from streamweave_cli.demo_system import stop_system
from streamweave_cli.home import Home
from streamweave_cli.running_system import read_env_file

START_SECONDS = 300
POLL_SECONDS = 0.2
LAST_CHARACTERS = 2_000


@contextmanager
def running_system(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start it on free ports; yields what a process of it finds in its environment, and stops it in the end.

    Raises ``BenchmarkFailed`` when it does not start.
    """
    home = Home.at(folder / "home")
    command = [sys.executable, "-m", "streamweave_cli", "up", "--home", str(home.root)]
    log = folder / "system.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--api-port", "0", "--dagster-port", "0"], stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(process, home, log)
        yield read_env_file(home) or {}
    finally:
        stop_system(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", home: Home, log: Path) -> None:
    """It writes the file that says how it is reached when everything answers."""
    deadline = time.monotonic() + START_SECONDS
    while not home.environment.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkFailed(f"the system does not start: {log.read_text()[-LAST_CHARACTERS:]}")
        time.sleep(POLL_SECONDS)
