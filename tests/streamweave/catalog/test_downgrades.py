"""The way back: every migration undone and done again, in a catalog that holds files, people and grants."""

import uuid
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from streamweave import ark
from streamweave.catalog.schema import alembic_config, schema_revision, upgrade_schema
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    Base,
    FileGrant,
    FileRecord,
    FileVersion,
    Group,
    GroupMember,
    Instrument,
    Schedule,
    StorageLocation,
    Transfer,
    TransferStatus,
    User,
    VersionState,
)

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
BEFORE_NEXT_NAMES = REVISIONS[REVISIONS.index("0021") + 1]
# what the first schema had already: it outlives every way back
LASTING = ("instruments", "storage_locations", "schedules", "users", "file_records", "file_versions", "file_transfers")


@pytest.fixture
def filled(engine: Engine, sessions: Sessions) -> Engine:
    """A catalog with a file that is archived, described, and granted to a group."""
    with sessions.begin() as session:
        instrument = Instrument(
            slug="microscope", name="Microscope", archive_folder="Microscope", cifs_host="m", cifs_share="microscope"
        )
        location, user, group = StorageLocation(name="A", base_path="/a"), User(email="a@test.org"), Group(name="Lab A")
        user.password_hash = "none"
        session.add_all([instrument, location, user, group])
        session.flush()
        schedule = {"cron_expression": "0 * * * *", "dagster_schedule_name": "harvest_microscope"}
        session.add(Schedule(instrument_id=instrument.id, default_storage_location_id=location.id, **schedule))
        record = FileRecord(
            instrument_id=instrument.id,
            source_path="microscope/user_a/scan 01.csv",
            folder="microscope/user_a",
            filename="scan 01.csv",
            persistent_id=ark.mint("99999", "fk4"),
            size_bytes=23,
            source_mtime=NOON,
            first_discovered_at=NOON,
            metadata_={"username": "user_a"},
            owner_id=user.id,
            withdrawn_at=NOON,
            withdrawn_reason="a trial",
        )
        session.add(record)
        session.flush()
        _archive(session, record, location.id)
        session.add(GroupMember(group_id=group.id, user_id=user.id))
        session.add(FileGrant(file_id=record.id, group_id=group.id, discovered_at=NOON))
    return engine


def _archive(session: Session, record: FileRecord, location_id: uuid.UUID) -> None:
    version = FileVersion(
        file_id=record.id,
        instrument_id=record.instrument_id,
        number=1,
        size_bytes=23,
        sha256="0" * 64,
        source_mtime=NOON,
        acquisition_day=NOON.date(),
        state=VersionState.ARCHIVED,
        **dict.fromkeys(["state_since", "discovered_at", "unchanged_since", "observed_at", "archived_at"], NOON),
    )
    session.add(version)
    session.flush()
    times = dict.fromkeys(["created_at", "started_at", "completed_at"], NOON)
    status = {"status": TransferStatus.COMPLETED, "checksum_verified": True, "destination_path": "scan.csv", **times}
    places = {"instrument_id": record.instrument_id, "storage_location_id": location_id}
    session.add(Transfer(file_id=record.id, version_id=version.id, **places, **status))


def downgrade(engine: Engine, revision: str) -> None:
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def rows(engine: Engine, table: str) -> list[str]:
    """What lasts of a table's rows, as text."""
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT id::text FROM {table} ORDER BY id")))


def test_the_way_back_gives_records_the_digests_of_their_newest_versions(filled: Engine) -> None:
    downgrade(filled, "0016")
    with filled.connect() as connection:
        assert connection.scalars(text("SELECT sha256 FROM file_records")).all() == ["0" * 64]


@pytest.mark.parametrize("revision", [*REVISIONS[1:], "base"])
def test_every_way_back_leads_forth_again(filled: Engine, revision: str) -> None:
    before = {table: rows(filled, table) for table in LASTING}
    downgrade(filled, revision)
    assert schema_revision(filled) == (None if revision == "base" else revision)
    if revision != "base":
        assert {table: rows(filled, table) for table in LASTING} == before
    upgrade_schema(filled)
    assert schema_revision(filled) == REVISIONS[0]
    with filled.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_what_is_derived_from_rows_is_derived_anew(filled: Engine) -> None:
    downgrade(filled, REVISIONS[-1])
    upgrade_schema(filled)
    with filled.connect() as connection:
        found = text("SELECT filename, extension FROM file_records WHERE words @@ plainto_tsquery('simple', 'user_a')")
        assert connection.execute(found).all() == [("scan 01.csv", "csv")]


def test_what_only_the_later_schema_holds_is_gone_and_the_log_is_empty(filled: Engine) -> None:
    downgrade(filled, REVISIONS[-1])
    upgrade_schema(filled)
    assert {table: rows(filled, table) for table in ("groups", "group_members", "file_grants", "audit_log")} == {
        "groups": [],
        "group_members": [],
        "file_grants": [],
        "audit_log": [],
    }


def test_files_that_failed_because_their_name_was_taken_are_tried_again_by_the_upgrade(filled: Engine) -> None:
    """So are no others: neither those that failed for something else, nor those that failed so before."""
    downgrade(filled, BEFORE_NEXT_NAMES)
    with filled.begin() as connection:
        connection.execute(text("UPDATE file_versions SET state = 'failed', reason = 'occupied', failures = 1"))
        failed = "UPDATE file_transfers SET status = 'failed', checksum_verified = false, error_kind = :kind"
        connection.execute(text(failed), {"kind": "file_denied"})
    upgrade_schema(filled)
    assert states(filled) == [("failed", 1)]
    downgrade(filled, BEFORE_NEXT_NAMES)
    with filled.begin() as connection:
        connection.execute(text("UPDATE file_transfers SET error_kind = 'destination_occupied'"))
    upgrade_schema(filled)
    assert states(filled) == [("settled", 0)]


def states(engine: Engine) -> list[tuple[str, int]]:
    with engine.connect() as connection:
        return [row._tuple() for row in connection.execute(text("SELECT state, failures FROM file_versions"))]


def test_a_damaged_copy_is_the_copy_again_unless_it_was_repaired(filled: Engine) -> None:
    """The earlier schema knows one copy of a version in a location."""
    columns = "file_id, version_id, instrument_id, storage_location_id, destination_path, checksum_verified"
    rest = "transfer_adapter, attempt, created_at, started_at, completed_at"
    damage = "status = 'damaged', damage = 'it is no longer there', damage_found_at = created_at"
    further = f"SELECT gen_random_uuid(), {columns}, {rest}, 'completed' FROM file_transfers"
    with filled.begin() as connection:
        connection.execute(text(f"UPDATE file_transfers SET {damage}"))
        connection.execute(text(f"INSERT INTO file_transfers (id, {columns}, {rest}, status) {further}"))
        connection.execute(text(f"UPDATE file_transfers SET {damage} WHERE status = 'completed'"))
    downgrade(filled, "0009")
    with filled.begin() as connection:
        assert sorted(connection.scalars(text("SELECT status FROM file_transfers"))) == ["completed", "failed"]
    upgrade_schema(filled)
    with filled.connect() as connection:
        found = text("SELECT damage_found_at = created_at OR damage_found_at = completed_at FROM file_transfers")
        assert list(connection.scalars(found)) == [True, True]
