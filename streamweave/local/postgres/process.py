"""The server's main process (the postmaster), as a direct child of ours."""

import signal
import subprocess
from pathlib import Path

from streamweave.local.lifeline import when_parent_dies
from streamweave.local.ports import LOOPBACK
from streamweave.local.postgres.account import ServerAccount

STOP_SECONDS = 20.0
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # no socket, so no path that could be too long for one
    "max_connections": "100",
    "shared_buffers": "256MB",  # taken from the system only as it fills
    "log_checkpoints": "off",
}
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


class ServerProcess:
    """A server for the cluster ``data`` on ``port``; what it says goes to ``log``, which starts anew.

    It stops (fast, cleanly) when the thread that made this object ends.
    """

    def __init__(
        self, installation: Path, account: ServerAccount, data: Path, log: Path, *, port: int, durable: bool
    ) -> None:
        self.port = port
        self._data = data
        self._log = log
        command = [str(installation / "bin" / "postgres"), "-D", str(data)]
        settings = SETTINGS | {"port": str(port)} | ({} if durable else FAST_AND_FORGETFUL)
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=when_parent_dies(signal.SIGINT),
            )

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        return self._process.pid if self._process.poll() is None else None

    def says_it_is_ready(self) -> bool:
        """Whether line 8 of its pid file says that it accepts connections, which is how pg_ctl knows."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self._process.pid)] and "".join(lines[7:8]).strip() == "ready"

    def said(self, words: str) -> bool:
        """Whether its log holds the words."""
        return words in self._log.read_text(errors="replace")

    def complaint(self) -> str:
        """The first line that it logged as fatal, without its time stamp."""
        lines = self._log.read_text(errors="replace").splitlines()
        fatal = [line for line in lines if "FATAL:" in line]
        return fatal[0].partition("FATAL:")[2].strip() if fatal else f"see {self._log}"

    def stop(self) -> None:
        """Stop it: fast (clients are disconnected, everything is written), then less and less politely."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue
