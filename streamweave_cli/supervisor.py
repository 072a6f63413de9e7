"""One supervisor for all child processes: when one of them ends, or a signal asks for it, all are stopped."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

from streamweave.errors import StartError
from streamweave_cli.log_mux import LogMux
from streamweave_cli.processes import MARK, end_supervised, group_is_alive, when_parent_dies


@dataclass(frozen=True)
class Program:
    """A child process to be started. ``environment`` is all of its environment.

    ``ready`` returns whether it answers, and is called until it does, for ``ready_seconds`` at most.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    ready_seconds: float = 120.0


@dataclass(frozen=True)
class Ended:
    """A process has ended: its name, ``how`` (``ended with exit code 3``), and its last lines of output."""

    name: str
    how: str
    last_lines: Sequence[str] = ()

    def __str__(self) -> str:
        said = [line.strip() for line in self.last_lines if line.strip()]
        return f"{self.name} {self.how}" + (f": {said[-1]}" if said else "")


def _start_session(program: Program, mark: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program as the leader of a session of its own, which the kernel kills when the supervisor dies."""
    return subprocess.Popen(
        program.command,
        env={**program.environment, **mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,  # Ctrl-C reaches the supervisor alone, which decides on the order
        preexec_fn=when_parent_dies(signal.SIGKILL),
    )


def _signal_session(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):  # no error: someone asked
    """The system was asked to stop while it was starting."""


class StopSignals:
    """Within its context, SIGINT, SIGTERM and SIGHUP set ``requested`` and interrupt nothing.

    So a second Ctrl-C can't break off the stopping that the first one began.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in ASKING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


POLL_SECONDS = 0.2
STOP_POLL_SECONDS = 0.05


class Supervisor:
    """Runs programs, in one thread: the main one.

    Every child is a session of its own and carries the mark of ``home`` in its environment, as do its own children.
    The kernel kills the children when the supervisor dies; their children are found by the mark at the next start.
    Leaving the context stops all, last started first.
    """

    def __init__(self, home: Path, relay: LogMux, signals: StopSignals, *, grace_seconds: float = 15.0) -> None:
        self._home = home
        self._relay = relay
        self._signals = signals
        self._grace_seconds = grace_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._others: dict[str, Callable[[], bool]] = {}

    def watch_also(self, name: str, is_alive: Callable[[], bool]) -> None:
        """Treat something that is started and stopped elsewhere as one that all depends on."""
        self._others[name] = is_alive

    def start(self, program: Program) -> None:
        """Start a program and return when it is ready.

        Raises ``StartError`` when it, or another one, ends before that, or the time is up; ``StopRequested`` when a
        signal asked to stop.
        """
        self._spawn(program)
        deadline = time.monotonic() + program.ready_seconds
        while not program.ready():
            self._attend()
            if (ended := self._first_ended()) is not None:
                raise StartError(f"the system does not start, {ended}")
            if time.monotonic() > deadline:
                raise StartError(f"{program.name} did not answer within {program.ready_seconds:.0f} seconds")

    def run(self, program: Program) -> None:
        """Run a program to its end. Raises ``StartError`` unless it succeeds, ``StopRequested`` after a signal."""
        child = self._spawn(program)
        while (code := child.poll()) is None:
            self._attend()
        del self._children[program.name]
        ended = self._ended(program.name, code)
        if code:
            raise StartError(f"the system does not start, {ended}")

    def watch(self) -> Ended | None:
        """Relay until a signal asks to stop (None) or a process has ended that should not."""
        while not self._signals.requested:
            self._relay.pump(POLL_SECONDS)
            if (ended := self._first_ended()) is not None:
                return ended
        return None

    def stop(self) -> None:
        """Stop all, last started first: SIGTERM, and after the grace period SIGKILL for what is left of a session."""
        for child in reversed(self._children.values()):
            _signal_session(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + self._grace_seconds
            while (child.poll() is None or group_is_alive(child.pid)) and time.monotonic() < deadline:
                self._relay.pump(STOP_POLL_SECONDS)
            _signal_session(child.pid, signal.SIGKILL)
            child.wait()
        self._children.clear()
        end_supervised(self._home)
        self._relay.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        child = _start_session(program, {MARK: str(self._home)})
        assert child.stdout is not None, "a pipe was asked for"
        self._children[program.name] = child
        self._relay.follow(program.name, child.stdout)
        return child

    def _attend(self) -> None:
        self._relay.pump(POLL_SECONDS)
        if self._signals.requested:
            raise StopRequested

    def _first_ended(self) -> Ended | None:
        for name, child in self._children.items():
            if (code := child.poll()) is not None:
                return self._ended(name, code)
        for name, is_alive in self._others.items():
            if not is_alive():
                return self._ended(name)
        return None

    def _ended(self, name: str, code: int | None = None) -> Ended:
        self._relay.drain()
        how = "ended" if code is None else f"ended with exit code {code}"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        return Ended(name, how, self._relay.last_lines(name))
