"""Running a script: a fresh interpreter, a group of its own, nothing inherited, and limits.

Question and answer are files, not pipes: nobody has to read while somebody writes, and the limit on the size of files
is also that of the answer.
"""

import math
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from streamweave.errors import HookFailed, HookTimedOut
from streamweave.hooks.scripts.account import ScriptAccount, script_account
from streamweave.hooks.scripts.folder import Script

LARGEST_ANSWER = 1 << 20
LONGEST_DIAGNOSTICS = 4_000
SCRIPT = "script.py"


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` by the clock, and as many of computing; memory is address space."""

    seconds: float
    memory_bytes: int


def answer_of(script: Script, question: bytes, limits: Limits) -> bytes:
    """What the script writes to standard output for the question on its standard input.

    Raises ``HookTimedOut``, or ``HookFailed`` for a script that doesn't end with status 0.
    """
    account = script_account()
    with (
        _folder() as folder,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as answered,
        tempfile.TemporaryFile() as told,
    ):
        asked.write(question)
        asked.seek(0)
        _lay_out(Path(folder), script, account)
        process = _start(folder, limits, account, (asked, answered, told))
        try:
            status = _wait(process, limits.seconds)
        except HookTimedOut as late:
            raise _told(late, told) from None
        if status != 0:
            raise _told(HookFailed(_ended(status)), told)
        answered.seek(0)
        return answered.read(LARGEST_ANSWER)


@contextmanager
def _folder() -> Iterator[str]:
    """A folder for one run, gone afterwards."""
    folder = tempfile.TemporaryDirectory(prefix="streamweave-hook-")
    try:
        yield folder.name
    finally:
        try:
            folder.cleanup()
        except RecursionError:  # folders in folders, by the thousand
            subprocess.run(["rm", "-rf", "--", folder.name], check=False)


def _lay_out(folder: Path, script: Script, account: ScriptAccount) -> None:
    (folder / SCRIPT).write_bytes(script.code)
    (folder / SCRIPT).chmod(0o444)
    account.own(folder)


def _start(
    folder: str, limits: Limits, account: ScriptAccount, streams: tuple[IO[bytes], IO[bytes], IO[bytes]]
) -> subprocess.Popen[bytes]:
    given = [SCRIPT, math.ceil(limits.seconds), limits.memory_bytes, LARGEST_ANSWER]
    stdin, stdout, stderr = streams
    try:
        return subprocess.Popen(
            [account.python, "-I", "-S", "-B", "-X", "utf8", "-c", _launcher(), *map(str, given)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=_environment(folder),
            close_fds=True,
            start_new_session=True,
            umask=0o077,
            user=account.uid,
            group=account.uid,
            extra_groups=account.extra_groups,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HookFailed(f"the script can't be started: {error}") from error


def _environment(folder: str) -> dict[str, str]:
    """Nothing of ours. Libraries that compute are told not to start threads, which they may not."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """The exit status. Whatever happens here, nothing of the group is left afterwards: it can't start processes."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise HookTimedOut(f"the script gave no answer within {seconds:g} seconds") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _told(failure: HookFailed, told: IO[bytes]) -> HookFailed:
    failure.diagnostics = _end_of(told)
    return failure


def _ended(status: int) -> str:
    if status > 0:
        return f"the script ended with exit status {status}"
    name = signal.Signals(-status).name
    meaning = {"SIGXCPU": " (too much computing)", "SIGXFSZ": " (it wrote too much)", "SIGKILL": " (too much memory?)"}
    return f"the script was ended by {name}{meaning.get(name, '')}"


def _end_of(told: IO[bytes]) -> str:
    """The last that the script wrote to standard error, in what the catalog can hold."""
    size = told.seek(0, os.SEEK_END)
    told.seek(max(0, size - LONGEST_DIAGNOSTICS))
    return told.read().decode(errors="replace").replace("\0", "\ufffd").strip()


@cache
def _launcher() -> str:
    return (Path(__file__).with_name("launcher.py")).read_text()
