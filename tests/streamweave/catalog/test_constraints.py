"""What the catalog itself refuses, whoever writes to it."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    HarvestRun,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def record(instrument: Instrument, path: str = "microscope/a.csv", ark: str = "ark:/99999/fk4a") -> FileRecord:
    return FileRecord(
        id=uuid.uuid4(),
        instrument_id=instrument.id,
        source_path=path,
        folder="microscope",
        filename="a.csv",
        persistent_id=ark,
        size_bytes=1,
        source_mtime=NOW,
        first_discovered_at=NOW,
    )


def version(file: FileRecord, number: int = 1, **values: Any) -> FileVersion:
    return FileVersion(
        id=uuid.uuid4(),
        file_id=file.id,
        instrument_id=file.instrument_id,
        number=number,
        size_bytes=1,
        source_mtime=NOW,
        acquisition_day=date(2026, 3, 2),
        state_since=NOW,
        discovered_at=NOW,
        unchanged_since=NOW,
        observed_at=NOW,
        **values,
    )


def transfer(of: FileVersion, location: StorageLocation, **values: Any) -> Transfer:
    return Transfer(
        file_id=of.file_id,
        version_id=of.id,
        instrument_id=of.instrument_id,
        storage_location_id=location.id,
        created_at=NOW,
        **values,
    )


@pytest.fixture
def instrument(sessions: Sessions) -> Instrument:
    row = Instrument(slug="m", name="M", cifs_host="m", cifs_share="microscope", archive_folder="M")
    with sessions.begin() as session:
        session.add(row)
    return row


@pytest.fixture
def location(sessions: Sessions) -> StorageLocation:
    row = StorageLocation(name="archive", base_path="/archive", connection_config={})
    with sessions.begin() as session:
        session.add(row)
    return row


def refuses(sessions: Sessions, *rows: Any) -> str:
    """Writes the rows one after another; what the catalog said when it refused one."""

    def write() -> None:
        with sessions.begin() as session:
            for row in rows:
                session.add(row)
                session.flush()

    with pytest.raises(IntegrityError) as refused:
        write()
    return str(refused.value.orig)


def test_one_file_for_each_path_of_an_instrument(sessions: Sessions, instrument: Instrument) -> None:
    rows = record(instrument), record(instrument, ark="ark:/99999/fk4b")
    assert "uq_file_records_instrument_id_source_path" in refuses(sessions, *rows)


def test_one_identifier_for_one_file(sessions: Sessions, instrument: Instrument) -> None:
    rows = record(instrument), record(instrument, path="microscope/b.csv")
    assert "uq_file_records_persistent_id" in refuses(sessions, *rows)


def test_one_version_for_each_content(sessions: Sessions, instrument: Instrument) -> None:
    file = record(instrument)
    first = version(file, 1, sha256="aa", is_newest=False, state=VersionState.ARCHIVED)
    second = version(file, 2, sha256="aa", state=VersionState.ARCHIVED)
    assert "uq_file_versions_content" in refuses(sessions, file, first, second)


def test_one_newest_version(sessions: Sessions, instrument: Instrument) -> None:
    file = record(instrument)
    assert "uq_file_versions_newest" in refuses(sessions, file, version(file, 1), version(file, 2))


def test_no_version_is_archived_without_its_hash(sessions: Sessions, instrument: Instrument) -> None:
    file = record(instrument)
    unproven = version(file, state=VersionState.ARCHIVED)
    assert "ck_file_versions_archived_is_proven" in refuses(sessions, file, unproven)


def test_no_transfer_is_completed_unverified(
    sessions: Sessions, instrument: Instrument, location: StorageLocation
) -> None:
    file = record(instrument)
    first = version(file)
    unverified = transfer(first, location, status=TransferStatus.COMPLETED)
    assert "ck_file_transfers_completed_is_verified" in refuses(sessions, file, first, unverified)


def test_no_claim_without_a_run(sessions: Sessions, instrument: Instrument, location: StorageLocation) -> None:
    file = record(instrument)
    first = version(file)
    unowned = transfer(first, location, status=TransferStatus.IN_PROGRESS)
    assert "ck_file_transfers_claim_has_a_run" in refuses(sessions, file, first, unowned)


@pytest.mark.parametrize("status", [TransferStatus.PENDING, TransferStatus.IN_PROGRESS, TransferStatus.COMPLETED])
def test_a_version_is_on_its_way_into_a_location_once(
    sessions: Sessions, instrument: Instrument, location: StorageLocation, status: TransferStatus
) -> None:
    file = record(instrument)
    first = version(file)
    run = HarvestRun(id=uuid.uuid4(), instrument_id=instrument.id, started_at=NOW, heartbeat_at=NOW)
    ended = NOW if status == TransferStatus.COMPLETED else None
    claim = {"run_id": run.id, "claim_id": uuid.uuid4()}
    one = transfer(first, location, status=status, checksum_verified=True, completed_at=ended, **claim)
    assert "uq_file_transfers_live" in refuses(sessions, file, first, run, one, transfer(first, location))


def test_an_instrument_with_files_is_not_removed(sessions: Sessions, instrument: Instrument) -> None:
    with sessions.begin() as session:
        session.add(record(instrument))
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.delete(session.get_one(Instrument, instrument.id))


def test_every_version_repeats_when_its_file_was_discovered(sessions: Sessions, instrument: Instrument) -> None:
    file = record(instrument)
    later = version(file, 2, is_newest=False)
    later.discovered_at = NOW + timedelta(days=1)
    with sessions.begin() as session:
        session.add(file)
        session.flush()
        session.add_all([version(file), later])
    with sessions() as session:
        assert list(session.scalars(select(FileVersion.first_discovered_at))) == [NOW, NOW]
