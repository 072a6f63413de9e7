"""Servers that an earlier supervisor left running on a cluster."""

import contextlib
import signal
from pathlib import Path

import psutil

from streamweave.local.processes import end_processes

STOP_SECONDS = 15.0


def end_leftover_servers(cluster: Path) -> None:
    """Stop every server that still runs on ``cluster``, fast and cleanly if it can, else by force."""
    for server in psutil.process_iter():
        if _serves(server, cluster):
            end_processes([server], signal.SIGINT, STOP_SECONDS)
    _forget_reused_pid(cluster / "postmaster.pid")


def _serves(process: psutil.Process, cluster: Path) -> bool:
    # the command line, since root without CAP_SYS_PTRACE can't see another user's working directory
    try:
        arguments = process.cmdline()
    except psutil.Error:
        return False
    return len(arguments) > 2 and Path(arguments[0]).name == "postgres" and arguments[1:3] == ["-D", str(cluster)]


def _forget_reused_pid(pid_file: Path) -> None:
    """Remove a stale pid file whose number now belongs to another program, which the server would take for a rival."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        if psutil.pid_exists(int(pid_file.read_text().splitlines()[0])):
            pid_file.unlink()
