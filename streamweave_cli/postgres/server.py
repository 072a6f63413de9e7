"""The server: on TCP at 127.0.0.1, a direct child of the one process that may run it, with which it ends.

Servers that a killed process left running on the same cluster are stopped first.
"""

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import psutil
import psycopg

from streamweave.errors import StartError
from streamweave_cli.home import FolderLock
from streamweave_cli.postgres.cluster import ROLE, Cluster, ServerAccount, installation_for, open_cluster
from streamweave_cli.processes import end_processes, when_parent_dies
from streamweave_cli.readiness import LOOPBACK, free_port

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
    """A server for the cluster ``data`` on ``port``; its output goes to ``log``, which starts anew.

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
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=when_parent_dies(signal.SIGINT),
                **account.process_options,
            )

    @property
    def pid(self) -> int | None:
        """None once it has ended."""
        return self._process.pid if self._process.poll() is None else None

    def is_ready(self) -> bool:
        """Whether line 8 of its pid file says that it accepts connections, which is how pg_ctl knows."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self._process.pid)] and "".join(lines[7:8]).strip() == "ready"

    def log_text(self) -> str:
        """What it has logged since it started."""
        return self._log.read_text(errors="replace")

    def fatal_message(self) -> str:
        """The first line that it logged as fatal, without its time stamp."""
        fatal = [line for line in self.log_text().splitlines() if "FATAL:" in line]
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


LEFTOVER_STOP_SECONDS = 15.0


def end_leftover_servers(cluster: Path) -> None:
    """Stop every server that still runs on ``cluster``, fast and cleanly if it can, else by force."""
    for server in psutil.process_iter():
        if _serves(server, cluster):
            end_processes([server], signal.SIGINT, LEFTOVER_STOP_SECONDS)
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


START_SECONDS = 60.0  # recovery after a crash comes before the first connection
POLL_SECONDS = 0.02
NOT_STARTED = "the PostgreSQL server has not been started"


class EmbeddedPostgres:
    """A PostgreSQL server whose cluster, password (0600), lock and log belong to ``folder``.

    Only one live process may run it: a second `start` raises ``StartError``. A server left over from a process that
    was killed is stopped and taken over. ``port`` None: a free one at each start. ``durable`` False is for tests:
    a crash of the machine may then lose everything.

    Call `start` from the main thread: the server stops (fast, cleanly) when the thread that started it ends.
    """

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        self.folder = folder
        self._wanted_port = port
        self._durable = durable
        self._lock = FolderLock(folder)
        self._cluster: Cluster | None = None
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Make the cluster when needed, start the server, and return when it accepts connections.

        Raises ``StartError``: the wheel or the password is missing, the folder or the port is in use.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = self.folder.resolve()
        if not self._lock.acquire():
            raise StartError(f"another process runs the PostgreSQL server of {self.folder}: stop that one first")
        try:
            account = ServerAccount.for_us()
            installation = installation_for(account)
            self._cluster = open_cluster(self.folder, installation, account, durable=self._durable)
            end_leftover_servers(self._cluster.data)
            self._start_until_it_stays(installation, account, self._cluster)
            self._try_the_password()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server; fine when it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._lock.release()

    @property
    def port(self) -> int:
        """The port it listens on. Raises ``StartError`` while it is not started, as `url` does."""
        if self._process is None:
            raise StartError(NOT_STARTED)
        return self._process.port

    @property
    def pid(self) -> int | None:
        """The server's main process; None while it does not run."""
        return self._process.pid if self._process else None

    def url(self, database: str) -> str:
        """``postgresql://…`` of a database, with role and password."""
        if self._cluster is None:
            raise StartError(NOT_STARTED)
        return f"postgresql://{ROLE}:{self._cluster.password}@{LOOPBACK}:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_until_it_stays(self, installation: Path, account: ServerAccount, cluster: Cluster) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            port = self._wanted_port or free_port()
            log = self.folder / "server.log"
            process = ServerProcess(installation, account, cluster.data, log, port=port, durable=self._durable)
            self._process = process
            while process.pid is not None and time.monotonic() < deadline:
                if process.is_ready():
                    return
                time.sleep(POLL_SECONDS)
            if time.monotonic() >= deadline or not self._is_worth_another_try(process):
                raise StartError(f"the PostgreSQL server does not start: {process.fatal_message()}")

    def _is_worth_another_try(self, process: ServerProcess) -> bool:
        log = process.log_text()
        port_was_taken = self._wanted_port is None and "could not bind" in log
        # backends of a server that was killed need a moment to notice
        return port_was_taken or "still in use" in log

    def _try_the_password(self) -> None:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError as error:
            raise StartError(f"the PostgreSQL server refuses the password in {self.folder / 'password'}") from error
