"""Programs of others, run to their end and timed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.errors import BenchmarkFailed

LAST_CHARACTERS = 2_000
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])  # where servers are


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took: seconds on the wall, and of the processor, in user and kernel mode."""

    seconds: float
    cpu_seconds: float

    def __add__(self, other: Self) -> "Cost":
        return Cost(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


def is_installed(program: str) -> bool:
    """Whether the program is found."""
    return shutil.which(program, path=SEARCH_PATH) is not None


def run_to_its_end(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: Path | None = None,
) -> Cost:
    """Run a program in ``folder`` and say what it cost, its processes included. ``output`` gets what it says.

    Raises ``BenchmarkFailed`` unless it succeeds.
    """
    with output.open("w+b") if output else tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            last_words = said.read().decode(errors="replace")[-LAST_CHARACTERS:]
            raise BenchmarkFailed(f"{command[0]} ended with exit code {process.returncode}: {last_words}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime)


def missing(*programs: str) -> list[str]:
    """A sentence for each of them that is not installed."""
    return [f"{program} is not installed: it did not take part" for program in programs if not is_installed(program)]


def first_line_of(command: Sequence[str]) -> str | None:
    """The first line that a program says, its version for instance; None when it is not installed."""
    program = shutil.which(command[0], path=SEARCH_PATH)
    if program is None:
        return None
    said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False).stdout
    return said.strip().splitlines()[0] if said.strip() else None
