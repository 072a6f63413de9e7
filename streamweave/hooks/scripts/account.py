"""Who runs scripts: ourselves, or where we are root, somebody whom nothing belongs to.

Not ``nobody``: that is whom the embedded PostgreSQL's files belong to (``streamweave.local.postgres.account``).
"""

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from streamweave.errors import HookFailed

NOBODYS = range(61_184, 65_520)
"""User ids that systemd keeps for services of a moment; no lasting account has one of them."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


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
        uid = _nobodys_uid() if os.geteuid() == 0 else None
        candidates = (sys.executable, shutil.which("python3", path=SYSTEM_PATH))
        for python in candidates:
            if python is not None and _runs(python, uid):
                return cls(uid, python)
        raise HookFailed(f"scripts can't run: the account that they run under, {uid}, can't reach {sys.executable}")


@cache
def script_account() -> ScriptAccount:
    """As ``ScriptAccount.for_us``, found out once."""
    return ScriptAccount.for_us()


def _nobodys_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in NOBODYS if uid not in taken)


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
