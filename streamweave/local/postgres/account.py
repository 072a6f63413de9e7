"""The operating-system user that the server runs as."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streamweave.errors import StartError

UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class ServerAccount:
    """Ourselves (``uid`` is None), or ``nobody`` where we are root, whom PostgreSQL refuses."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_us(cls) -> Self:
        """The account for a server started by this process."""
        if os.geteuid() != 0:
            return cls()
        try:
            entry = pwd.getpwnam(UNPRIVILEGED_USER)
        except KeyError as error:
            raise StartError(
                f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED_USER!r}: start as another user"
            ) from error
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def extra_groups(self) -> list[int] | None:
        """For `subprocess.Popen`: none of root's groups go along with a switch."""
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        """Make the account the owner of one file or folder of ours."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, folder: Path) -> bool:
        """Whether the account can enter the folder: tried, since modes, ACLs and mounts all have a say."""
        return self._can('cd "$1"', folder)

    def executes(self, program: Path) -> bool:
        """Whether the account can run the program."""
        return self._can('"$1" --version', program)

    def _can(self, script: str, path: Path) -> bool:
        attempt = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(path)],
            user=self.uid,
            group=self.gid,
            extra_groups=self.extra_groups,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return attempt.returncode == 0
