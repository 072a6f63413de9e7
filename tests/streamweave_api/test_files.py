import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy.orm import Session

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    HarvestRun,
    Instrument,
    Scan,
    ScanOutcome,
    Transfer,
    TransferStatus,
    VersionState,
)

Client = TestClient[Litestar]
Body = dict[str, Any]

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
XXHASH = "7c0d455ba2126c3d"


def add_file(session: Session, instrument_id: uuid.UUID, number: int, state: VersionState) -> FileRecord:
    discovered_at = NOON + timedelta(minutes=number)
    record = FileRecord(
        instrument_id=instrument_id,
        source_path=f"microscope/user_a/scan_{number:02}.csv",
        folder="microscope/user_a",
        filename=f"scan_{number:02}.csv",
        persistent_id=f"ark:/99999/fk4{uuid.uuid4().hex}",
        size_bytes=23,
        source_mtime=NOON,
        first_discovered_at=discovered_at,
        metadata_={"username": "user_a"},
    )
    session.add(record)
    session.flush()
    add_version(session, record, state, discovered_at)
    return record


def add_version(
    session: Session, record: FileRecord, state: VersionState, at: datetime, number: int = 1
) -> FileVersion:
    version = FileVersion(
        file_id=record.id,
        instrument_id=record.instrument_id,
        number=number,
        size_bytes=23,
        source_mtime=NOON,
        acquisition_day=date(2026, 2, 24),
        xxhash=XXHASH,
        sha256=f"{number:064x}",
        state=state,
        reason=f"it is {state}",
        state_since=at,
        discovered_at=at,
        unchanged_since=at,
        observed_at=at,
        failures=5,
        retry_at=at,
    )
    session.add(version)
    session.flush()
    return version


@pytest.fixture
def files(sessions: Sessions, instrument: Body) -> list[str]:
    """The ids of four files, oldest first; the third has failed."""
    states = [VersionState.ARCHIVED, VersionState.SKIPPED, VersionState.FAILED, VersionState.SETTLING]
    with sessions.begin() as session:
        made = [add_file(session, uuid.UUID(instrument["id"]), number, state) for number, state in enumerate(states, 1)]
        return [str(record.id) for record in made]


@pytest.fixture
def transfer(sessions: Sessions, files: list[str], instrument: Body, location: Body) -> str:
    """The id of the first file's transfer."""
    with sessions.begin() as session:
        run = HarvestRun(
            instrument_id=uuid.UUID(instrument["id"]), dagster_run_id="run-1", started_at=NOON, heartbeat_at=NOON
        )
        session.add(run)
        version = session.query(FileVersion).filter_by(file_id=uuid.UUID(files[0])).one()
        session.flush()
        made = Transfer(
            file_id=version.file_id,
            version_id=version.id,
            instrument_id=run.instrument_id,
            storage_location_id=uuid.UUID(location["id"]),
            destination_path="Microscope 01/microscope/user_a/scan_01.csv",
            status=TransferStatus.COMPLETED,
            run_id=run.id,
            bytes_transferred=23,
            source_checksum=XXHASH,
            dest_checksum=XXHASH,
            checksum_verified=True,
            created_at=NOON,
            started_at=NOON,
            completed_at=NOON,
        )
        session.add(made)
        session.flush()
        return str(made.id)


def test_a_file_has_the_contracts_fields(api: Client, files: list[str], instrument: Body) -> None:
    body = api.get(f"/api/files/{files[0]}").json()
    assert body.pop("persistent_id").startswith("ark:/99999/fk4")
    assert body == {
        "id": files[0],
        "persistent_id_type": "ark",
        "instrument_id": instrument["id"],
        "source_path": "microscope/user_a/scan_01.csv",
        "filename": "scan_01.csv",
        "size_bytes": 23,
        "source_mtime": "2026-02-24T12:00:00Z",
        "xxhash": XXHASH,
        "sha256": f"{1:064x}",
        "first_discovered_at": "2026-02-24T12:01:00Z",
        "metadata_": {"username": "user_a"},
        "owner_id": None,
        "gone_at": None,
        "withdrawn_at": None,
        "withdrawn_reason": None,
        "version": 1,
        "acquisition_day": "2026-02-24",
        "state": "archived",
        "reason": "it is archived",
        "state_since": "2026-02-24T12:01:00Z",
    }


def test_files_are_listed_newest_first_and_by_what_is_asked_for(
    api: Client, files: list[str], instrument: Body
) -> None:
    def listed(query: str) -> list[str]:
        return [body["id"] for body in api.get(f"/api/files?{query}").json()]

    assert listed("") == files[::-1]
    assert listed(f"instrument_id={instrument['id']}") == files[::-1]
    assert listed(f"instrument_id={uuid.uuid4()}") == []
    assert listed("state=skipped") == [files[1]]


def test_files_come_in_pages_that_keep_the_filter(api: Client, files: list[str], instrument: Body) -> None:
    first = api.get(f"/api/files?instrument_id={instrument['id']}&limit=3")
    assert [body["id"] for body in first.json()] == files[:0:-1]
    following = first.links["next"]["url"]
    assert f"instrument_id={instrument['id']}" in following
    last = api.get(following)
    assert [body["id"] for body in last.json()] == files[:1]
    assert "Link" not in last.headers
    assert api.get("/api/instruments", params={"cursor": following.partition("cursor=")[2]}).status_code == 422


def test_a_changed_file_shows_its_newest_version_and_all_of_them(
    api: Client, sessions: Sessions, files: list[str]
) -> None:
    with sessions.begin() as session:
        record = session.get_one(FileRecord, uuid.UUID(files[0]))
        session.query(FileVersion).filter_by(file_id=record.id).update({"is_newest": False})
        add_version(session, record, VersionState.SETTLING, NOON + timedelta(days=1), number=2)
    body = api.get(f"/api/files/{files[0]}").json()
    assert (body["version"], body["state"]) == (2, "settling")
    assert len(api.get("/api/files").json()) == len(files)
    versions = api.get(f"/api/files/{files[0]}/versions").json()
    assert [(version["number"], version["is_newest"]) for version in versions] == [(2, True), (1, False)]


def test_a_transfer_has_the_contracts_fields(api: Client, files: list[str], transfer: str, location: Body) -> None:
    body = api.get(f"/api/transfers/{transfer}").json()
    assert uuid.UUID(body.pop("version_id"))
    assert body == {
        "id": transfer,
        "file_id": files[0],
        "storage_location_id": location["id"],
        "destination_path": f"{location['base_path']}/Microscope 01/microscope/user_a/scan_01.csv",
        "transfer_adapter": "smb",
        "status": "completed",
        "attempt": 1,
        "bytes_transferred": 23,
        "source_checksum": XXHASH,
        "dest_checksum": XXHASH,
        "checksum_verified": True,
        "created_at": "2026-02-24T12:00:00Z",
        "started_at": "2026-02-24T12:00:00Z",
        "completed_at": "2026-02-24T12:00:00Z",
        "error_message": None,
        "dagster_run_id": "run-1",
    }


def test_transfers_are_listed_by_what_is_asked_for(
    api: Client, files: list[str], transfer: str, instrument: Body
) -> None:
    def listed(query: str) -> list[str]:
        return [body["id"] for body in api.get(f"/api/transfers?{query}").json()]

    for query in ["", f"file_id={files[0]}", f"instrument_id={instrument['id']}", "status=completed"]:
        assert listed(query) == [transfer]
    for query in [f"file_id={files[1]}", f"instrument_id={uuid.uuid4()}", "status=failed"]:
        assert listed(query) == []


def test_others_than_admins_see_nothing_and_can_not_tell_that_there_is_something(
    client: Client, files: list[str], transfer: str, researcher: dict[str, str]
) -> None:
    client.headers.update(researcher)
    for path in ["files", "transfers", "files?limit=1&state=archived", f"transfers?file_id={files[0]}"]:
        answer = client.get(f"/api/{path}")
        assert (answer.status_code, answer.json(), "Link" in answer.headers) == (200, [], False)
    for file_id in [files[0], uuid.uuid4()]:
        for path in [f"files/{file_id}", f"files/{file_id}/versions"]:
            answer = client.get(f"/api/{path}")
            assert (answer.status_code, answer.json()) == (404, {"detail": "File not found"})
    for transfer_id in [transfer, uuid.uuid4()]:
        answer = client.get(f"/api/transfers/{transfer_id}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Transfer not found"})


def test_a_failed_file_can_be_tried_again_by_an_admin(
    api: Client, sessions: Sessions, files: list[str], researcher: dict[str, str]
) -> None:
    path = f"/api/files/{files[2]}/retry"
    assert api.post(path, headers=researcher).status_code == 403
    answer = api.post(path)
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["reason"]) == ("settled", "a user asked to try again")
    assert answer.json()["state_since"] > "2026-02-24T13"
    with sessions() as session:
        version = session.query(FileVersion).filter_by(file_id=uuid.UUID(files[2])).one()
        assert (version.failures, version.retry_at) == (0, None)
    again = api.post(path)
    assert again.status_code == 409
    assert again.json() == {"detail": "only a failed file can be tried again; this one is settled"}
    assert api.post(f"/api/files/{uuid.uuid4()}/retry").status_code == 404


def test_the_files_of_a_deleted_instrument_stay_in_the_catalog(api: Client, files: list[str], instrument: Body) -> None:
    before = api.get("/api/files").json()
    assert api.delete(f"/api/instruments/{instrument['id']}").status_code == 204
    assert api.get("/api/files").json() == before


def test_a_storage_location_with_versions_stays_where_it_is(
    api: Client, transfer: str, location: Body, tmp_path: Path
) -> None:
    path = f"/api/storage-locations/{location['id']}"
    for answer in [api.delete(path), api.patch(path, json={"base_path": str(tmp_path / "elsewhere")})]:
        assert answer.status_code == 409
        assert "holds files of the catalog" in answer.json()["detail"]


def test_scans_tell_what_came_of_looking_newest_first(api: Client, sessions: Sessions, instrument: Body) -> None:
    with sessions.begin() as session:
        looked = Scan(
            instrument_id=uuid.UUID(instrument["id"]), started_at=NOON, outcome=ScanOutcome.COMPLETE, files=6, bytes=138
        )
        failed = Scan(
            instrument_id=uuid.UUID(instrument["id"]),
            started_at=NOON + timedelta(minutes=1),
            outcome=ScanOutcome.FAILED,
            error_kind="share_missing",
            error_message="the server has no share microscope",
        )
        session.add_all([looked, failed])
    first, second = api.get(f"/api/instruments/{instrument['id']}/scans").json()
    assert (first["outcome"], first["error_kind"]) == ("failed", "share_missing")
    assert first["error_message"] == "the server has no share microscope"
    assert (second["outcome"], second["files"], second["bytes"]) == ("complete", 6, 138)
    assert api.get(f"/api/instruments/{uuid.uuid4()}/scans").status_code == 404


def test_an_instrument_made_by_hand_is_the_catalogs_row(sessions: Sessions, instrument: Body) -> None:
    with sessions() as session:
        assert session.get_one(Instrument, uuid.UUID(instrument["id"])).archive_folder == "Microscope 01"
