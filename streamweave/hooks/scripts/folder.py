"""The folder of scripts: whoever may write there decides what runs. Admins of the service choose among its files."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from streamweave.errors import HookFailed

LARGEST_SCRIPT = 1 << 20
SCRIPT_PATH = r"^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*\.py$"
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
NO_FOLDER = "no folder of scripts is set: the facility's administrator sets STREAMWEAVE_HOOK_SCRIPTS_FOLDER"


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
    """Without O_NONBLOCK, opening a pipe would wait for somebody who writes into it."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _check_mode(status: os.stat_result, what: str) -> None:
    if status.st_mode & WRITABLE_BY_OTHERS:
        raise HookFailed(f"{what} can be written by others than its owner: chmod go-w")
