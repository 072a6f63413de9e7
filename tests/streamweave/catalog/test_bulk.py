"""How rows that are worked on by the thousand are found."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, event, select, text
from sqlalchemy.engine import Engine

from streamweave.ark import mint
from streamweave.catalog.bulk import checked, is_one_of
from streamweave.catalog.session import FOR_HARVESTS, catalog_engine, catalog_sessions
from streamweave.catalog.tables import FileVersion, Instrument, VersionState
from streamweave.harvest.record_changes import Differences, Recorder
from streamweave.sources.base import SourceFile

FILES = 5_000
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def harvests(engine: Engine, database_url: str) -> Iterator[Engine]:
    """An engine as harvests have it, for a catalog in which all is pending, and known to PostgreSQL as settling."""
    instrument = Instrument(slug="m", name="M", cifs_host="m", cifs_share="microscope", archive_folder="M")
    files = [SourceFile(f"microscope/{number}.csv", 1, NOW) for number in range(FILES)]
    with catalog_sessions(engine).begin() as session:
        session.add(instrument)
        session.flush()
        Recorder(session, instrument, lambda: mint("99999", "fk4"), NOW).record(Differences(new=files))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE file_records, file_versions"))
        connection.execute(text("UPDATE file_versions SET state = 'pending'"))
    made = catalog_engine(database_url, settings=FOR_HARVESTS)
    yield made
    made.dispose()


def some_ids(engine: Engine, number: int) -> list[uuid.UUID]:
    with catalog_sessions(engine)() as session:
        return list(session.scalars(select(FileVersion.id).limit(number)))


def plan_of(engine: Engine, query: Select[Any]) -> str:
    """How PostgreSQL would find the rows."""

    def explained(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> Any:
        return f"EXPLAIN {statement}", parameters

    event.listen(engine, "before_cursor_execute", explained, retval=True)
    with engine.connect() as connection:
        return "\n".join(str(row[0]) for row in connection.execute(query))


def test_a_batch_is_found_by_its_ids_when_its_state_is_taken_for_rare(harvests: Engine) -> None:
    ids = some_ids(harvests, 100)
    is_pending = checked(FileVersion.state == VersionState.PENDING)
    plan = plan_of(harvests, select(FileVersion.reason).where(is_one_of(FileVersion.id, ids), is_pending))
    assert "pk_file_versions" in plan
    assert "state" not in plan.replace("(state = 'pending'::text)", "")


@pytest.mark.parametrize(("sha256", "is_found"), [("aa", True), ("bb", False), (None, False)])
def test_a_checked_condition_holds_for_the_same_rows(harvests: Engine, sha256: str | None, is_found: bool) -> None:
    (one,) = some_ids(harvests, 1)
    with catalog_sessions(harvests).begin() as session:
        session.execute(text("UPDATE file_versions SET sha256 = :sha256 WHERE id = :id"), {"sha256": sha256, "id": one})
        found = select(FileVersion.id).where(FileVersion.id == one, checked(FileVersion.sha256 == "aa"))
        assert (session.scalar(found) == one) == is_found
