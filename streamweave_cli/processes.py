"""Child processes that end with the supervisor, and how those that a killed supervisor left behind are ended."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

MARK = "STREAMWEAVE_SUPERVISED_HOME"
POLL_SECONDS = 0.02
LEFTOVER_GRACE_SECONDS = 3.0
KILL_SECONDS = 10.0


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs. One that has ended and only waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_processes(processes: Iterable[psutil.Process], ask: signal.Signals, grace_seconds: float) -> None:
    """Send ``ask`` to each and wait; after the grace period end the rest by force. Returns when all have ended."""
    remaining = _signalled(processes, ask)
    _wait(remaining, grace_seconds)
    _wait(_signalled(remaining, signal.SIGKILL), KILL_SECONDS)


def supervised_processes(home: Path) -> list[psutil.Process]:
    """Every process with the mark of ``home`` in its environment, however it was started, but us and our parent."""
    ourselves = {os.getpid(), os.getppid()}
    return [each for each in psutil.process_iter() if each.pid not in ourselves and _mark_of(each) == str(home)]


def end_supervised(home: Path, grace_seconds: float = LEFTOVER_GRACE_SECONDS) -> int:
    """End every process with the mark of ``home``; returns how many there were.

    The grace is short: the database that they would tidy up in is gone, and the next harvest tidies up anyway.
    """
    processes = supervised_processes(home)
    end_processes(processes, signal.SIGTERM, grace_seconds)
    return len(processes)


def group_is_alive(group: int) -> bool:
    """Whether any process of the process group still runs."""
    return any(_belongs(process, group) and is_alive(process) for process in psutil.process_iter())


def _belongs(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # another user's
        return None


def _signalled(processes: Iterable[psutil.Process], number: signal.Signals) -> list[psutil.Process]:
    alive = [process for process in processes if is_alive(process)]
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    return alive


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


PR_SET_PDEATHSIG = 1  # prctl(2)


def when_parent_dies(number: signal.Signals) -> Callable[[], None]:
    """A ``preexec_fn`` for `subprocess.Popen` after which the child gets signal ``number`` when its parent dies.

    The kernel follows the *thread* that starts the child: start children from the main thread. It runs after the
    switch to another user, which would clear the setting. Where the kernel is not Linux, nothing is set.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def tie() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:  # it died between the fork and the call above
                os.kill(os.getpid(), number)

    return tie
