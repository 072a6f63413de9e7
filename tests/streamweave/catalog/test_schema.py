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


INDEXED = """
    SELECT DISTINCT attribute.attname
    FROM pg_index JOIN pg_depend ON pg_depend.classid = 'pg_class'::regclass AND pg_depend.objid = pg_index.indexrelid
    JOIN pg_attribute AS attribute ON attribute.attrelid = pg_index.indrelid
        AND attribute.attrelid = pg_depend.refobjid AND attribute.attnum = pg_depend.refobjsubid
    WHERE pg_index.indrelid = CAST(:table AS regclass)
"""


@pytest.mark.parametrize(
    ("table", "written_on_the_way"),
    [
        ("file_versions", {"state", "reason", "state_since", "observed_at", "decided_hooks", "decided_destinations"}),
        ("file_transfers", {"status", "run_id", "claim_id", "started_at"}),
    ],
)
def test_no_index_is_written_while_a_file_settles_is_planned_and_claimed(
    engine: Engine, table: str, written_on_the_way: set[str]
) -> None:
    with engine.connect() as connection:
        indexed = set(connection.scalars(text(INDEXED), {"table": table}))
    assert "instrument_id" in indexed
    assert not indexed & written_on_the_way
