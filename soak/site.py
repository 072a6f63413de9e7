"""Where trials are made: a PostgreSQL server, as durable as in production, and shares that Samba serves."""

import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from cryptography.fernet import Fernet
from psycopg import sql

from simlab.shares import Share, ShareServer, serve
from simlab.shares.base import free_port
from streamweave.catalog.schema import renew_identity, upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres

SHARE = "instrument"
PASSWORD = "soak"
TEMPLATE = "template_catalog"


class Reached(Protocol):
    """A share where clients reach it: a server, or the line in front of one. ``pid`` leads the server's processes."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def pid(self) -> int: ...


@dataclass
class Site:
    """``folder`` is what the share holds. Server and database stay at their ports when they are started again."""

    work: Path
    postgres: EmbeddedPostgres
    encryption_key: str
    server: Reached
    _serving: ExitStack

    @property
    def folder(self) -> Path:
        """The shared folder."""
        return self.work / "share"

    def create_database(self) -> str:
        """A fresh catalog with an identity of its own; returns its address."""
        url = self.copy_database(TEMPLATE)
        with open_catalog(url) as engine, catalog_sessions(engine).begin() as session:
            renew_identity(session)
        return url

    def copy_database(self, template: str) -> str:
        """A copy of the database ``template``, which nobody may be connected to; returns its address."""
        name = f"trial_{uuid.uuid4().hex}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self.postgres.url(name)

    def replace_database(self, url: str, by: str) -> None:
        """Exchange a catalog for another one, whose address then is the first one's."""
        self.drop_database(url)
        self._execute("ALTER DATABASE {} RENAME TO {}", by.rpartition("/")[2], url.rpartition("/")[2])

    def drop_database(self, url: str) -> None:
        """Remove it again, whoever is still connected."""
        self._execute("DROP DATABASE {} WITH (FORCE)", url.rpartition("/")[2])

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def crash_postgres(self, number: signal.Signals) -> None:
        """With SIGQUIT, which ``pg_ctl stop -m immediate`` sends, or SIGKILL, which leaves its children behind."""
        if self.postgres.pid is not None:
            os.kill(self.postgres.pid, number)

    def restart_postgres(self) -> None:
        """Start it again, on the same data and at the same port."""
        self.postgres.stop()
        self.postgres.start()

    def kill_server(self) -> None:
        """Every process of the SMB server, at once."""
        os.killpg(self.server.pid, signal.SIGKILL)

    def restart_server(self) -> None:
        """Serve the same folder at the same port."""
        port = self.server.port
        self._serving.close()
        self.server = self._serving.enter_context(_serve(self.work, port))

    def manifest(
        self, base_path: str, archives: Mapping[str, Path], **instrument: Any
    ) -> dict[str, list[dict[str, Any]]]:
        """An instrument whose files go to each of the archives, with a hook before the transfer and one after it."""
        return {
            "service_accounts": [{"name": "lab", "username": self.server.username, "password": PASSWORD}],
            "storage_locations": [
                {"name": name, "type": "posix", "base_path": str(path)} for name, path in archives.items()
            ],
            "instruments": [
                {
                    "slug": SHARE,
                    "name": "Instrument",
                    "cifs_host": self.server.host,
                    "cifs_port": self.server.port,
                    "cifs_share": SHARE,
                    "cifs_base_path": base_path,
                    "service_account": "lab",
                    "quiet_period_seconds": 1,
                    "transfer_config": {"timeout_seconds": 5},
                    **instrument,
                }
            ],
            "schedules": [
                {"instrument": SHARE, "storage_location": name, "cron_expression": "0 3 * * *"} for name in archives
            ],
            "hooks": [
                {
                    "name": "no scratch files",
                    "trigger": "pre_transfer",
                    "implementation": "builtin",
                    "builtin_name": "file_filter",
                    "config": {"exclude_patterns": ["*.tmp"]},
                    "instrument": SHARE,
                },
                {
                    "name": "who measured",
                    "trigger": "post_transfer",
                    "implementation": "builtin",
                    "builtin_name": "metadata_enrichment",
                    "config": {"rules": [{"pattern": r"/(?P<username>user_[a-z])/", "source": "path"}]},
                    "instrument": SHARE,
                },
            ],
        }


@contextmanager
def open_site(work: Path) -> Iterator[Site]:
    """Start database and SMB server in ``work``. Raises ``NoShareServerError``."""
    (work / "share").mkdir(parents=True)
    with EmbeddedPostgres(work / "postgres", free_port()) as postgres, ExitStack() as serving:
        ensure_database(postgres.url(TEMPLATE))
        with open_catalog(postgres.url(TEMPLATE)) as engine:
            upgrade_schema(engine)
        server = serving.enter_context(_serve(work, None))
        yield Site(work, postgres, Fernet.generate_key().decode(), server, serving)


@contextmanager
def _serve(work: Path, port: int | None) -> Iterator[ShareServer]:
    with serve(
        [Share(SHARE, work / "share")], kind="samba", port=port, work_folder=work / "samba", password=PASSWORD
    ) as server:
        yield server
