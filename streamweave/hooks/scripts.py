"""Scripts: the folder that they are in, the account that they run under, and running them with limits.

Users who can write to the folder decide what runs; admins of the service choose among its files. A script runs in a
fresh interpreter and process group that inherits nothing, under our own account, or where that is root, under a user id
that owns nothing (not ``nobody``, which owns the embedded PostgreSQL's files, ``streamweave_cli.postgres.cluster``).
Question and answer are files, not pipes: neither side has to read while the other writes, and the limit on the size of
files also limits the answer.
"""

import hashlib
import math
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Self

from streamweave.errors import HookFailed, HookTimedOut

UNOWNED_UIDS = range(61_184, 65_520)
"""User ids that systemd keeps for services of a moment; no lasting account has one of them."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

LARGEST_SCRIPT = 1 << 20
SCRIPT_PATH = r"^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.py$"
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
NO_FOLDER = "no folder of scripts is set: the facility's administrator sets STREAMWEAVE_HOOK_SCRIPTS_FOLDER"
LARGEST_ANSWER = 1 << 20
LONGEST_DIAGNOSTICS = 4_000
SCRIPT = "script.py"


@dataclass(frozen=True, slots=True)
class ScriptAccount:
    """The user id that scripts run under (None: our own), and the Python that it can run."""

    uid: int | None
    python: str

    @property
    def extra_groups(self) -> list[int] | None:
        """For `subprocess.Popen`: none of root's groups go along with a switch."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or folder of ours."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    @classmethod
    def for_us(cls) -> Self:
        """The account for scripts started by this process. Raises ``HookFailed`` when it can run no Python."""
        uid = _unowned_uid() if os.geteuid() == 0 else None
        candidates = (sys.executable, shutil.which("python3", path=SYSTEM_PATH))
        for python in candidates:
            if python is not None and _runs(python, uid):
                return cls(uid, python)
        raise HookFailed(f"scripts can't run: the account that they run under, {uid}, can't reach {sys.executable}")


@cache
def script_account() -> ScriptAccount:
    """As ``ScriptAccount.for_us``, found out once."""
    return ScriptAccount.for_us()


def _unowned_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in UNOWNED_UIDS if uid not in taken)


def _runs(python: str, uid: int | None) -> bool:
    try:
        attempt = subprocess.run(
            [python, "-I", "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 9))"],
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return attempt.returncode == 0


@dataclass(frozen=True, slots=True)
class Script:
    """A script as it was read: what runs is this code, whatever becomes of the file."""

    code: bytes
    sha256: str


def check_script_path(path: str) -> str:
    """The path of a script, relative to the folder. Raises ``ValueError`` for one that could lead out of it."""
    if not re.fullmatch(SCRIPT_PATH, path):
        raise ValueError("must be relative to the folder of scripts, of letters, digits, _ . - and /, and end with .py")
    return path


@dataclass(frozen=True, slots=True)
class ScriptFolder:
    """The folder that the facility sets, if it sets one."""

    root: Path | None = None

    def read(self, path: str) -> Script:
        """The script of that relative path. Raises ``HookFailed`` for what must not, or can't, be run."""
        if self.root is None:
            raise HookFailed(NO_FOLDER)
        try:
            return _script(self.root.resolve(strict=True), PurePosixPath(check_script_path(path)))
        except ValueError as error:
            raise HookFailed(f"the script's path {error}") from error
        except (OSError, RuntimeError) as error:
            raise HookFailed(f"the script {path} can't be read in the folder of scripts") from error


def _script(root: Path, path: PurePosixPath) -> Script:
    file = (root / path).resolve(strict=True)
    if not file.is_relative_to(root):
        raise HookFailed(f"the script {path} is a link that leads out of the folder of scripts")
    for folder in (root, *(parent for parent in file.parents if parent.is_relative_to(root))):
        _check_mode(folder.stat(), f"a folder of the script {path}")
    if not stat.S_ISREG(file.lstat().st_mode):
        raise HookFailed(f"the script {path} is no regular file")
    with open(file, "rb", opener=_open_at_once) as opened:
        _check_mode(os.fstat(opened.fileno()), f"the script {path}")
        code = opened.read(LARGEST_SCRIPT + 1)
    if len(code) > LARGEST_SCRIPT:
        raise HookFailed(f"the script {path} is larger than {LARGEST_SCRIPT} bytes")
    return Script(code, hashlib.sha256(code).hexdigest())


def _open_at_once(path: str, flags: int) -> int:
    """Without O_NONBLOCK, opening a pipe would wait for a writer."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _check_mode(status: os.stat_result, what: str) -> None:
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise HookFailed(f"{what} can be written by others than its owner: chmod go-w")


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """``seconds`` by the clock, and as many of computing; memory is address space."""

    seconds: float
    memory_bytes: int


def answer_of(script: Script, question: bytes, limits: ScriptLimits) -> bytes:
    """What the script writes to standard output for the question on its standard input.

    Raises ``HookTimedOut``, or ``HookFailed`` for a script that doesn't end with status 0.
    """
    account = script_account()
    with (
        _folder() as folder,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as answered,
        tempfile.TemporaryFile() as diagnostics,
    ):
        asked.write(question)
        asked.seek(0)
        _lay_out(Path(folder), script, account)
        process = _start(folder, limits, account, (asked, answered, diagnostics))
        try:
            status = _wait(process, limits.seconds)
        except HookTimedOut as late:
            raise _with_diagnostics(late, diagnostics) from None
        if status != 0:
            raise _with_diagnostics(HookFailed(_ended(status)), diagnostics)
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
    folder: str, limits: ScriptLimits, account: ScriptAccount, streams: tuple[IO[bytes], IO[bytes], IO[bytes]]
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
    """Nothing of ours. Libraries that compute must not start threads."""
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


def _with_diagnostics(failure: HookFailed, diagnostics: IO[bytes]) -> HookFailed:
    failure.diagnostics = _end_of(diagnostics)
    return failure


def _ended(status: int) -> str:
    if status > 0:
        return f"the script ended with exit status {status}"
    name = signal.Signals(-status).name
    meaning = {"SIGXCPU": " (too much computing)", "SIGXFSZ": " (it wrote too much)", "SIGKILL": " (too much memory?)"}
    return f"the script was ended by {name}{meaning.get(name, '')}"


def _end_of(diagnostics: IO[bytes]) -> str:
    """The last that the script wrote to standard error, in what the catalog can hold."""
    size = diagnostics.seek(0, os.SEEK_END)
    diagnostics.seek(max(0, size - LONGEST_DIAGNOSTICS))
    return diagnostics.read().decode(errors="replace").replace("\0", "\ufffd").strip()


@cache
def _launcher() -> str:
    return (Path(__file__).with_name("script_launcher.py")).read_text()
