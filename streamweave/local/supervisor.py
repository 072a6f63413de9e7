"""One supervisor for all child processes: none of them outlives it, and it does not outlive any of them."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from streamweave.errors import StartError
from streamweave.local.child import Child, Ended, Program
from streamweave.local.processes import MARK, end_supervised
from streamweave.local.relay import Relay
from streamweave.local.stop_signals import StopRequested, StopSignals

POLL_SECONDS = 0.2
STOP_POLL_SECONDS = 0.05


class Supervisor:
    """Runs programs, in one thread: the main one.

    Every child is a session of its own and carries the mark of ``home`` in its environment, as do its own children.
    The kernel kills the children when the supervisor dies; their children are found by the mark at the next start.
    Leaving the context stops all, last started first.
    """

    def __init__(self, home: Path, relay: Relay, signals: StopSignals, *, grace_seconds: float = 15.0) -> None:
        self._home = home
        self._relay = relay
        self._signals = signals
        self._grace_seconds = grace_seconds
        self._children: list[Child] = []
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
        while (how := child.how_it_ended()) is None:
            self._attend()
        self._relay.drain()
        self._children.remove(child)
        if not child.succeeded:
            raise StartError(f"the system does not start, {self._ended(child.name, how)}")

    def watch(self) -> Ended | None:
        """Relay until a signal asks to stop (None) or a process has ended that should not."""
        while not self._signals.requested:
            self._relay.pump(POLL_SECONDS)
            if (ended := self._first_ended()) is not None:
                return ended
        return None

    def stop(self) -> None:
        """Stop all, last started first: SIGTERM, and after the grace period SIGKILL for what is left of a session."""
        for child in reversed(self._children):
            child.signal_session(signal.SIGTERM)
            deadline = time.monotonic() + self._grace_seconds
            while child.session_is_alive() and time.monotonic() < deadline:
                self._relay.pump(STOP_POLL_SECONDS)
            child.kill()
        self._children.clear()
        end_supervised(self._home)
        self._relay.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, program: Program) -> Child:
        child = Child(program, {MARK: str(self._home)})
        self._children.append(child)
        self._relay.follow(child.name, child.output)
        return child

    def _attend(self) -> None:
        self._relay.pump(POLL_SECONDS)
        if self._signals.requested:
            raise StopRequested

    def _first_ended(self) -> Ended | None:
        for child in self._children:
            if (how := child.how_it_ended()) is not None:
                return self._ended(child.name, how)
        for name, is_alive in self._others.items():
            if not is_alive():
                return self._ended(name, "ended")
        return None

    def _ended(self, name: str, how: str) -> Ended:
        self._relay.drain()
        return Ended(name, how, self._relay.last_lines(name))
