"""The whole system in a home of its own, as ``streamweave up`` runs it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from streamweave_cli.home import Home

START_SECONDS = 300
STOP_SECONDS = 60
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
        yield _environment(home)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", home: Home, log: Path) -> None:
    """It leaves word in its home when everything answers."""
    deadline = time.monotonic() + START_SECONDS
    while not home.environment.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkFailed(f"the system does not start: {log.read_text()[-LAST_CHARACTERS:]}")
        time.sleep(POLL_SECONDS)


def _environment(home: Home) -> Mapping[str, str]:
    lines = home.environment.read_text().splitlines()
    return {name: value.strip("'") for name, value in (line.split("=", 1) for line in lines)}
