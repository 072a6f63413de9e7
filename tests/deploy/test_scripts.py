"""The shell scripts of the one-shot services, run as they stand against a real PostgreSQL."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from simlab.seed import SEED
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Instrument, User
from streamweave_cli.databases import ensure_database, for_dagster
from streamweave_cli.postgres import EmbeddedPostgres

Run = Callable[..., subprocess.CompletedProcess[str]]


def without_password(url: str) -> str:
    return url.replace(f":{urlsplit(url).password}@", "@")


@pytest.fixture
def run(postgres: EmbeddedPostgres) -> Run:
    """Run a script with the environment given, and the database's password as the containers have it."""

    def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMWEAVE_")}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        password = str(urlsplit(postgres.url("postgres")).password)
        return subprocess.run(
            ["sh", "-ec", script],
            env={**inherited, "PATH": path, "PGPASSWORD": password, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_migrate_makes_schema_and_admin_and_may_be_repeated(
    services: dict[str, Any], script_of: Any, run: Run, sessions: Sessions, database_url: str
) -> None:
    for _ in range(2):
        result = run(
            script_of(services["migrate"]),
            STREAMWEAVE_DATABASE_URL=without_password(database_url),
            STREAMWEAVE_ADMIN_EMAIL="admin@example.org",
            STREAMWEAVE_ADMIN_PASSWORD="an 'odd' $password",
        )
        assert result.returncode == 0, result.stderr
    with sessions() as session:
        assert [user.is_admin for user in session.scalars(select(User))] == [True]


def test_the_simulated_hosts_are_entered(
    simlab: dict[str, Any], script_of: Any, run: Run, sessions: Sessions, database_url: str, tmp_path: Path
) -> None:
    script = script_of(simlab["services"]["simlab-configure"])
    result = run(
        script.replace("/tmp/", f"{tmp_path}/").replace("/storage", str(tmp_path / "storage")),
        STREAMWEAVE_STORAGE_ROOTS=str(tmp_path / "storage"),
        STREAMWEAVE_DATABASE_URL=without_password(database_url),
        STREAMWEAVE_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
        SIMLAB_USERNAME="labuser",
        SIMLAB_PASSWORD="secret",
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "manifest.json").stat().st_mode & 0o077 == 0
    with sessions() as session:
        entered = {(one.cifs_host, one.cifs_port) for one in session.scalars(select(Instrument))}
    assert entered == {(instrument.host, 445) for instrument in SEED}


def test_dagster_starts_on_an_empty_database_with_the_file_of_the_image(
    services: dict[str, Any],
    script_of: Any,
    run: Run,
    postgres: EmbeddedPostgres,
    repository_root: Path,
    tmp_path: Path,
) -> None:
    name = f"dagster_{uuid.uuid4().hex}"
    ensure_database(postgres.url(name))
    shutil.copy(repository_root / "dagster.yaml", tmp_path)
    first_line = script_of(services["code-server"]).splitlines()[0]
    result = run(
        first_line,
        DAGSTER_HOME=str(tmp_path),
        STREAMWEAVE_DAGSTER_DATABASE_URL=for_dagster(without_password(postgres.url(name))),
    )
    assert result.returncode == 0, result.stderr
