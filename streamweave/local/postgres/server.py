"""The server: on TCP at 127.0.0.1, with one live process that runs it, and that it does not outlive."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from streamweave.errors import StartError
from streamweave.local.lock import FolderLock
from streamweave.local.ports import LOOPBACK, free_port
from streamweave.local.postgres.account import ServerAccount
from streamweave.local.postgres.binaries import installation_for
from streamweave.local.postgres.cluster import ROLE, Cluster, open_cluster
from streamweave.local.postgres.leftovers import end_leftover_servers
from streamweave.local.postgres.process import ServerProcess

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

    def create_database(self, name: str) -> None:
        """Create an empty database; fine if it exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_until_it_stays(self, installation: Path, account: ServerAccount, cluster: Cluster) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            port = self._wanted_port or free_port()
            log = self.folder / "server.log"
            process = ServerProcess(installation, account, cluster.data, log, port=port, durable=self._durable)
            self._process = process
            while process.pid is not None and time.monotonic() < deadline:
                if process.says_it_is_ready():
                    return
                time.sleep(POLL_SECONDS)
            if time.monotonic() >= deadline or not self._is_worth_another_try(process):
                raise StartError(f"the PostgreSQL server does not start: {process.complaint()}")

    def _is_worth_another_try(self, process: ServerProcess) -> bool:
        somebody_took_the_port = self._wanted_port is None and process.said("could not bind")
        # backends of a server that was killed need a moment to notice
        return somebody_took_the_port or process.said("still in use")

    def _try_the_password(self) -> None:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError as error:
            raise StartError(f"the PostgreSQL server refuses the password in {self.folder / 'password'}") from error
