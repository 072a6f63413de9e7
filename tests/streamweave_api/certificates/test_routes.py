"""Certificates over HTTP: who is told what, how it can be checked, and that it stays on record."""

import base64
import hashlib
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from litestar.testing import TestClient

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Scan, ScanOutcome, Transfer, TransferStatus
from streamweave.harvest.scan_record import address_of
from streamweave.settings import Settings
from streamweave_api.app import create_app

HOURS = [datetime.now(UTC) - timedelta(hours=hours) for hours in range(5)]
PATHS = ["microscope/run 1/ä.csv", "microscope/run 1/b.csv", "microscope/run 2/c.csv"]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Of a facility that signs."""
    return settings.model_copy(update={"certificate_key": type(settings.certificate_key)("5f" * 32)})


@pytest.fixture
def files(sessions: Sessions, instrument: Any, location: Any, schedule: Any) -> list[str]:
    """The ids of three archived files, of which a later look saw each unchanged; the last one is changing again."""
    with sessions.begin() as session:
        row = session.get_one(Instrument, uuid.UUID(instrument["id"]))
        seen = {"started_at": HOURS[1], "finished_at": HOURS[1], "covers_since": HOURS[1], "address": address_of(row)}
        session.add(Scan(instrument_id=row.id, outcome=ScanOutcome.COMPLETE, **seen))
        ids = [_archived(session, path, row.id, uuid.UUID(location["id"])) for path in PATHS]
    for path in PATHS:
        copy = Path(location["base_path"], path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b"1234")
        os.utime(copy, (HOURS[4].timestamp(),) * 2)
    return [str(file_id) for file_id in ids]


def _archived(session: Any, path: str, instrument_id: uuid.UUID, location_id: uuid.UUID) -> uuid.UUID:
    folder, _, filename = path.rpartition("/")
    seen = {"size_bytes": 4, "source_mtime": HOURS[4]}
    content = {**seen, "xxhash": "7c0d455ba2126c3d", "sha256": "ab" * 32}
    names = {"source_path": path, "folder": folder, "filename": filename, "persistent_id": f"ark:/99999/{uuid.uuid4()}"}
    record = FileRecord(instrument_id=instrument_id, first_discovered_at=HOURS[4], **names, **seen)
    session.add(record)
    session.flush()
    times = dict.fromkeys(["state_since", "discovered_at", "unchanged_since", "observed_at", "archived_at"], HOURS[3])
    version = FileVersion(file_id=record.id, instrument_id=instrument_id, number=1, acquisition_day=HOURS[4].date())
    for name, value in {**times, **content, "state": "settling" if "run 2" in path else "archived"}.items():
        setattr(version, name, value)
    session.add(version)
    session.flush()
    proof = {"source_checksum": content["xxhash"], "dest_checksum": content["xxhash"], "checksum_verified": True}
    times = dict.fromkeys(["created_at", "started_at", "completed_at", "last_verified_at"], HOURS[3])
    places = {"instrument_id": instrument_id, "storage_location_id": location_id, "destination_path": path}
    transfer = {"status": TransferStatus.COMPLETED, "bytes_transferred": 4, **proof, **times, **places}
    session.add(Transfer(file_id=record.id, version_id=version.id, **transfer))
    return uuid.UUID(str(record.id))


def canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_files_certificate_can_be_checked_with_the_public_key(api: Any, files: list[str]) -> None:
    body = api.get(f"/api/files/{files[0]}/certificate").json()
    assert body["certificate"]["verdict"] == "safe", body
    content = canonical(body["certificate"])
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    told = api.get("/api/certificates/key", headers={"Authorization": ""}).json()
    key = load_pem_public_key(told["public_key_pem"].encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(body["signature"]["value"]), content)
    assert body["signature"]["key_id"] == told["key_id"]


def test_a_folders_certificate_is_bound_to_what_the_pages_say_of_each_file(
    api: Any, instrument: Any, files: list[str]
) -> None:
    place = f"/api/instruments/{instrument['id']}/certificate"
    body = api.get(place, params={"path": "microscope/run 1/"}).json()["certificate"]
    assert (body["verdict"], body["files"]["safe"]) == ("safe", 2)
    statements: list[Any] = []
    page = api.get(f"{place}/files", params={"path": "microscope/run 1", "limit": 1})
    statements += page.json()
    statements += api.get(page.links["next"]["url"]).json()
    manifest = b"".join(canonical(statement) + b"\n" for statement in statements)
    assert body["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()


def test_a_folder_with_a_file_that_must_stay_says_why(api: Any, instrument: Any, files: list[str]) -> None:
    body = api.get(f"/api/instruments/{instrument['id']}/certificate").json()["certificate"]
    assert body["verdict"] == "not_safe"
    assert [(reason["reason"], reason["files"]) for reason in body["reasons"]] == [("not_finished", 1)]


def test_where_nothing_was_ever_seen_the_answer_is_404(api: Any, instrument: Any, files: list[str]) -> None:
    answer = api.get(f"/api/instruments/{instrument['id']}/certificate", params={"path": "microscope/run 9"})
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("Nothing is known at microscope/run 9")
    assert api.get(f"/api/instruments/{uuid.uuid4()}/certificate").json() == {"detail": "Instrument not found"}
    assert api.get("/api/certificates").json() == []


def test_who_was_told_what_stays_on_record(api: Any, instrument: Any, files: list[str]) -> None:
    issued = [api.get(f"/api/files/{file_id}/certificate").json() for file_id in files[:2]]
    listed = api.get("/api/certificates", params={"instrument_id": instrument["id"]}).json()
    assert [each["sha256"] for each in listed] == [each["sha256"] for each in reversed(issued)]
    assert {each["issued_to"] for each in listed} == {api.get("/users/me").json()["email"]}


def test_asking_again_and_again_adds_nothing_to_the_record(api: Any, instrument: Any, files: list[str]) -> None:
    place = f"/api/instruments/{instrument['id']}/certificate"
    for address in (f"/api/files/{files[0]}/certificate", place):
        first = api.get(address).json()
        assert [api.get(address).json() for _ in range(3)] == [first] * 3
    assert len(api.get("/api/certificates").json()) == 2


def test_a_copy_that_is_not_at_its_place_is_told_without_paths_of_the_server(
    client: Any, instrument: Any, location: Any, files: list[str], researcher: dict[str, str]
) -> None:
    grant = {"grantee_type": "user", "grantee_id": client.get("/users/me", headers=researcher).json()["id"]}
    client.post(f"/api/files/{files[0]}/access", json=grant)
    place = Path(location["base_path"])
    place.rename(place.with_name("unmounted"))
    for headers, names_the_place in (({}, True), (researcher, False)):
        document = client.get(f"/api/files/{files[0]}/certificate", headers=headers).json()["certificate"]
        assert [each["reason"] for each in document["reasons"]] == ["location_not_there"]
        assert (str(place) in json.dumps(document)) is names_the_place
    statements = client.get(f"/api/instruments/{instrument['id']}/certificate/files").json()
    assert {each["verdict"] for each in statements} == {"not_safe"}


def test_folders_are_for_admins_and_files_for_who_may_see_them(
    client: Any, instrument: Any, files: list[str], researcher: dict[str, str]
) -> None:
    for path in (f"/api/instruments/{instrument['id']}/certificate", "/api/certificates"):
        assert client.get(path, headers=researcher).json() == {"detail": "Admin access required"}
    private = client.get(f"/api/files/{files[0]}/certificate", headers=researcher)
    assert (private.status_code, private.json()) == (404, {"detail": "File not found"})
    grant = {"grantee_type": "user", "grantee_id": client.get("/users/me", headers=researcher).json()["id"]}
    assert client.post(f"/api/files/{files[0]}/access", json=grant).status_code == 201
    assert client.get(f"/api/files/{files[0]}/certificate", headers=researcher).status_code == 200


def test_without_a_key_nothing_is_signed_and_there_is_none_to_show(settings: Settings) -> None:
    unsigned = settings.model_copy(update={"certificate_key": type(settings.certificate_key)("")})
    with TestClient(create_app(unsigned)) as client:
        answer = client.get("/api/certificates/key")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Certificate key not found"})
