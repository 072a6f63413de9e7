"""A facility on this machine: shares that Samba serves, a PostgreSQL server, and fresh catalogs in it."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet
from psycopg import sql

from benchmarks.data import Dataset
from benchmarks.errors import BenchmarkFailed
from benchmarks.setting import Setting
from simlab.shares import Share, ShareServer, samba, serve
from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import Instrument
from streamweave.facility import Facility
from streamweave.instruments.instruments import instrument_by_slug
from streamweave.manifest import apply_manifest
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres

SLUG = "microscope_01"
TEMPLATE = "template_catalog"
ACCOUNT = "lab"


@dataclass(frozen=True)
class Site:
    """``postgres`` is as durable as in production: what it has acknowledged is on the disk."""

    server: ShareServer
    postgres: EmbeddedPostgres
    encryption_key: str

    @contextmanager
    def catalog(self, dataset: Dataset, archive: Path) -> Iterator[Mapping[str, str]]:
        """An empty catalog with the instrument `SLUG`, whose share holds ``dataset`` and goes to ``archive``.

        Yields what a process of StreamWeave has to find in its environment.
        """
        database = f"catalog_{uuid.uuid4().hex}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", database, TEMPLATE)
        try:
            url = self.postgres.url(database)
            with open_catalog(url) as engine:
                apply_manifest(
                    catalog_sessions(engine), self.encryption_key, manifest(self.server, dataset.name, {SLUG: archive})
                )
            yield {"STREAMWEAVE_DATABASE_URL": url, "STREAMWEAVE_ENCRYPTION_KEYS": self.encryption_key}
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", database)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def open_site(setting: Setting, datasets: Sequence[Dataset]) -> Iterator[Site]:
    """Build the datasets and serve each as a share of its name. Raises ``NoShareServerError``."""
    build(setting, datasets)
    with (
        serve_datasets(setting, datasets) as server,
        EmbeddedPostgres(setting.work / "postgres") as postgres,
    ):
        ensure_database(postgres.url(TEMPLATE))
        with open_catalog(postgres.url(TEMPLATE)) as engine:
            upgrade_schema(engine)
        yield Site(server, postgres, Fernet.generate_key().decode())


def build(setting: Setting, datasets: Sequence[Dataset]) -> None:
    """Write the datasets."""
    for dataset in datasets:
        setting.say(f"building {dataset.title}")
        dataset.build()


def doubts(server: ShareServer) -> list[str]:
    """Why numbers may say little: a sentence, or none."""
    if server.kind == samba.KIND:
        return []
    return [f"Samba is not installed: {server.kind} served the shares, and is itself what was measured"]


@contextmanager
def serve_datasets(setting: Setting, datasets: Sequence[Dataset]) -> Iterator[ShareServer]:
    """A server on a free port of loopback, each dataset a share of its name."""
    shares = [Share(dataset.name, dataset.folder) for dataset in datasets]
    with serve(shares, work_folder=setting.work / "samba") as server:
        yield server


def instrument_of(facility: Facility, slug: str = SLUG) -> Instrument:
    """The instrument of that slug, in a process whose environment names such a catalog."""
    with facility.sessions() as session:
        instrument = instrument_by_slug(session, slug)
    if instrument is None:
        raise BenchmarkFailed(f"the catalog has no instrument {slug}")
    return instrument


def manifest(server: ShareServer, share: str, archives: Mapping[str, Path]) -> dict[str, list[dict[str, object]]]:
    """Instruments, by their slugs, that have the same share, and a storage location each.

    Their quiet period is the shortest there is. They are disabled: nothing scans them unasked.
    """
    return {
        "service_accounts": [{"name": ACCOUNT, "username": server.username, "password": server.password}],
        "storage_locations": [
            {"name": slug, "type": "posix", "base_path": str(archive)} for slug, archive in archives.items()
        ],
        "instruments": [
            {
                "slug": slug,
                "name": slug,
                "cifs_host": server.host,
                "cifs_port": server.port,
                "cifs_share": share,
                "service_account": ACCOUNT,
                "quiet_period_seconds": 1,
                "enabled": False,
            }
            for slug in archives
        ],
        "schedules": [
            {"instrument": slug, "storage_location": slug, "cron_expression": "0 3 * * *"} for slug in archives
        ],
    }
