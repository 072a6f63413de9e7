"""The schema: made by migrations, equal to the tables, and safe from older versions."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.engine import Engine

from streamweave.catalog.schema import schema_revision, upgrade_schema
from streamweave.catalog.tables import Base
from streamweave.errors import StartError


def test_the_migrations_make_exactly_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_an_upgrade_of_an_upgraded_catalog_changes_nothing(engine: Engine) -> None:
    before = schema_revision(engine)
    upgrade_schema(engine)
    assert schema_revision(engine) == before


def test_a_catalog_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StartError, match="newer than this StreamWeave"):
        upgrade_schema(engine)

    assert schema_revision(engine) == "9999"
