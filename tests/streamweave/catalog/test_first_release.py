"""A catalog that the first release wrote, with its archive, is upgraded and harvested on."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.engine import Engine

from streamweave.catalog.schema import alembic_config, schema_revision, upgrade_schema
from streamweave.catalog.tables import Base, FileRecord, Instrument, Transfer, TransferStatus
from streamweave.preservation.certificates.issue import Issuer

ROWS = Path(__file__).with_name("first_release.sql")
ARCHIVED_AT = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
MARK = "This folder is a storage location of StreamWeave. Do not remove this file.\n"
ARCHIVE = {
    "user_a/kept.csv": b"kept",
    "user_a/changed.csv": b"first",
    "user_a/changed~v2.csv": b"second",
    "user_a/touched.csv": b"same",
    "user_b/gone.csv": b"gone",
}
TOUCHED = datetime(2026, 3, 2, 13, 0, 5, 50_000, tzinfo=UTC)
SHARE = {
    "user_a/kept.csv": (b"kept", datetime(2026, 3, 2, 11, tzinfo=UTC)),
    "user_a/changed.csv": (b"second", TOUCHED),
    "user_a/touched.csv": (b"same", TOUCHED),
    "user_b/scratch.tmp": (b"tmp", datetime(2026, 3, 2, 11, tzinfo=UTC)),
    "user_b/denied.csv": (b"denied", datetime(2026, 3, 2, 11, tzinfo=UTC)),
    "user_b/late.csv": (b"late", datetime(2026, 3, 2, 15, 0, 10, 100_000, tzinfo=UTC)),
}


@pytest.fixture
def first_catalog(engine: Engine, tmp_path: Path) -> Engine:
    """The catalog as the first release left it, and its archive below ``tmp_path``."""
    config = alembic_config()
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(ROWS.read_text().replace("'/archive'", f"'{tmp_path}/archive'"))
    base = tmp_path / "archive"
    (base / ".streamweave/incoming").mkdir(parents=True, exist_ok=True)
    (base / ".streamweave/location").write_text(MARK)
    for path, content in ARCHIVE.items():
        file = base / "Microscope 01/microscope" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (ARCHIVED_AT, ARCHIVED_AT))
    return engine


@pytest.fixture
def upgraded(bench: Any, first_catalog: Engine) -> Any:
    """The same facility on today's schema, an hour later, with its share as the first release saw it last."""
    upgrade_schema(first_catalog)
    for path, (content, mtime) in SHARE.items():
        bench.laboratory.write(f"microscope/{path}", content, mtime)
    bench.clock.time = datetime(2026, 3, 2, 17, tzinfo=UTC)
    with bench.facility.sessions() as session:
        bench.instrument = session.scalars(select(Instrument)).one()
        session.expunge(bench.instrument)
    return bench


def test_the_upgrade_brings_the_schema_to_that_of_the_tables(first_catalog: Engine) -> None:
    assert schema_revision(first_catalog) == "0001"
    upgrade_schema(first_catalog)
    with first_catalog.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_identifiers_and_digests_survive_the_upgrade(first_catalog: Engine) -> None:
    question = text(
        "SELECT persistent_id, source_path, v.number, v.state, v.xxhash, v.sha256"
        " FROM file_records r JOIN file_versions v ON v.file_id = r.id ORDER BY persistent_id, v.number"
    )
    with first_catalog.connect() as connection:
        before = connection.execute(question).all()
    upgrade_schema(first_catalog)
    with first_catalog.connect() as connection:
        assert connection.execute(question).all() == before
    assert len({row.persistent_id for row in before}) == 7


def test_the_next_harvest_goes_on_where_the_first_release_stopped(upgraded: Any) -> None:
    before = {path: upgraded.record(f"microscope/{path}").persistent_id for path in SHARE}
    report = upgraded.harvest()
    assert not report.troubles
    assert {path.removeprefix("microscope/"): str(state) for path, state in upgraded.states().items()} == {
        "user_a/kept.csv": "archived",
        "user_a/changed.csv": "archived",
        "user_a/touched.csv": "unchanged",
        "user_b/scratch.tmp": "skipped",
        "user_b/denied.csv": "failed",
        "user_b/gone.csv": "archived",
        "user_b/late.csv": "archived",
    }
    expected = {f"Microscope 01/microscope/{path}": content for path, content in ARCHIVE.items()}
    assert upgraded.archived() == expected | {"Microscope 01/microscope/user_b/late.csv": b"late"}
    assert {path: upgraded.record(f"microscope/{path}").persistent_id for path in SHARE} == before


def test_what_the_first_release_archived_can_be_certified(upgraded: Any) -> None:
    upgraded.harvest()
    upgraded.clock.wait(60)
    upgraded.harvest()
    with upgraded.facility.sessions.begin() as session:  # a sweep has re-read every copy
        for transfer in session.scalars(select(Transfer).where(Transfer.status == TransferStatus.COMPLETED)):
            transfer.last_verified_at = upgraded.clock.time
        kept = session.scalars(select(FileRecord).where(FileRecord.filename == "kept.csv")).one()
    issuer = Issuer(upgraded.facility.sessions, upgraded.facility.open_marked, None, upgraded.clock.now)
    certificate = issuer.issue(
        upgraded.instrument, issued_to="a test", path="microscope/user_a/kept.csv", file_id=kept.id
    )
    assert certificate.verdict == "safe", certificate.document
