"""What all tests share: one real PostgreSQL for each test process, and a fresh catalog in it for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from streamweave.catalog.schema import upgrade_schema
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions
from streamweave.local.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of our own on a free port."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """A migrated database that each test's own is copied from."""
    postgres.create_database("template_catalog")
    engine = catalog_engine(postgres.url("template_catalog"))
    upgrade_schema(engine)
    engine.dispose()
    return "template_catalog"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """The address of an empty, migrated catalog."""
    name = f"test_{uuid.uuid4().hex}"
    admin = catalog_engine(postgres.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    yield postgres.url(name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine over the test's catalog."""
    engine = catalog_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    """Sessions over the test's catalog."""
    return catalog_sessions(engine)


@pytest.fixture
def repository_root() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent
