"""A program, and the child process that it becomes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from streamweave.local.lifeline import when_parent_dies
from streamweave.local.processes import group_is_alive


@dataclass(frozen=True)
class Program:
    """A child process to be.

    ``environment`` is all of its environment. ``ready`` says whether it answers; it is asked until then, for
    ``ready_seconds`` at most.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 120.0


@dataclass(frozen=True)
class Ended:
    """A process has ended: its name, ``how`` (``ended with exit code 3``), and the last lines that it said."""

    name: str
    how: str
    last_lines: Sequence[str] = ()

    def __str__(self) -> str:
        said = [line.strip() for line in self.last_lines if line.strip()]
        return f"{self.name} {self.how}" + (f": {said[-1]}" if said else "")


class Child:
    """A running program: the leader of a session of its own, which the kernel kills when the supervisor dies."""

    def __init__(self, program: Program, mark: Mapping[str, str]) -> None:
        self.name = program.name
        self._process = subprocess.Popen(
            program.command,
            env={**program.environment, **mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which decides on the order
            preexec_fn=when_parent_dies(signal.SIGKILL),
        )

    @property
    def output(self) -> IO[bytes]:
        """What it says, on standard output and error."""
        assert self._process.stdout is not None, "a pipe was asked for"
        return self._process.stdout

    def how_it_ended(self) -> str | None:
        """None while it runs, else a predicate like ``was killed by SIGKILL`` or ``ended with exit code 0``."""
        code = self._process.poll()
        if code is None:
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    @property
    def succeeded(self) -> bool:
        """Whether it has ended with exit code 0."""
        return self._process.poll() == 0

    def session_is_alive(self) -> bool:
        """Whether it, or a process that it started, still runs."""
        return self._process.poll() is None or group_is_alive(self._process.pid)

    def signal_session(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End whatever is left of the session, and the process with it."""
        self.signal_session(signal.SIGKILL)
        self._process.wait()
