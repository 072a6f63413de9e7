"""A catalog that can be set back to what it was, as by restoring a backup, while the archive stays as it is."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from streamweave.catalog.session import catalog_engine, catalog_sessions
from streamweave.local.postgres import EmbeddedPostgres

Backup = Callable[[Any], Callable[[], Any]]


@pytest.fixture
def back_up(postgres: EmbeddedPostgres, engine: Engine) -> Iterator[Backup]:
    """Copies the catalog of a bench; what it returns gives the bench with the catalog as it was then."""
    admin = catalog_engine(postgres.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with ExitStack() as stack:
        stack.callback(admin.dispose)

        def copied(bench: Any) -> Callable[[], Any]:
            name = f"backup_{uuid.uuid4().hex}"
            engine.dispose()
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {engine.url.database}"))

            def dropped() -> None:
                with admin.connect() as connection:
                    connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

            stack.callback(dropped)
            restored = catalog_engine(postgres.url(name))
            stack.callback(restored.dispose)
            return lambda: replace(bench, facility=replace(bench.facility, sessions=catalog_sessions(restored)))

        yield copied
