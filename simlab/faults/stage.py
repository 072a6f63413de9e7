"""The stage for a fault: a shared folder, the real server that serves it, and the line through which it is reached."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simlab.errors import NothingToSpoilError
from simlab.faults.line import Line, line_to
from simlab.shares import Share, ShareServer, samba, serve

SHARE = "instrument"
LEAST_DURING_COPY = 1 << 20


@dataclass(frozen=True)
class Stage:
    """Clients connect to ``host`` and ``port``, which are the line's; the share is called ``SHARE``."""

    folder: Path
    server: ShareServer
    line: Line

    @property
    def host(self) -> str:
        """Where the share is reached."""
        return self.server.host

    @property
    def port(self) -> int:
        """The line's port."""
        return self.line.port

    @property
    def pid(self) -> int:
        """The server's main process, leader of its group."""
        return self.server.pid

    @property
    def username(self) -> str:
        """The one user who is let in."""
        return self.server.username

    @property
    def password(self) -> str:
        """That user's password."""
        return self.server.password

    def files(self) -> list[Path]:
        """All files on the share, in order. Raises ``NothingToSpoilError`` when there are none."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        if not files:
            raise NothingToSpoilError(f"There are no files in {self.folder}: a fault needs something to spoil.")
        return files

    def largest(self) -> Path:
        """The largest file."""
        return max(self.files(), key=lambda path: path.stat().st_size)

    def half_of_the_largest(self) -> int:
        """Once so many bytes have passed, the largest file is being copied, unless all others together are as large."""
        return max(self.largest().stat().st_size // 2, LEAST_DURING_COPY)


@contextmanager
def set_stage(
    folder: Path, work_folder: Path, *, password: str | None = None, options: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """Serve ``folder`` with Samba, which alone knows share modes and locks, and put a line in front of it.

    Raises ``SimlabError``.
    """
    share = Share(SHARE, folder, writable=True)
    with (
        serve([share], kind=samba.KIND, work_folder=work_folder, password=password, options=options) as server,
        line_to(server.port) as line,
    ):
        yield Stage(folder, server, line)
