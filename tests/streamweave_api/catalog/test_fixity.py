"""What re-readings found, over HTTP: for whoever may see a file, and for admins."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import StorageLocation
from streamweave.facility import Facility
from streamweave.preservation.sweep import sweep_tonight
from streamweave.storage.opening import open_storage

Client = TestClient[Litestar]


@pytest.fixture
def files(shelf: Any) -> list[str]:
    """Eight files, archived."""
    return [shelf.put(f"share/{number}.csv") for number in range(8)]


@pytest.fixture
def sweep(sessions: Sessions, shelf: Any) -> Any:
    """Sweeps the shelf's location."""
    facility = Facility(
        sessions=sessions,
        open_source=lambda _: pytest.fail("no share is read"),
        open_storage=open_storage,
        mint_identifier=lambda: "",
        now=DatabaseClock(sessions),
        wait=lambda _: None,
    )

    def sweep() -> None:
        with sessions() as session:
            location = session.get_one(StorageLocation, uuid.UUID(shelf.location["id"]))
        sweep_tonight(facility, location)

    return sweep


def damage(shelf: Any, api: Client, files: list[str]) -> None:
    for file_id in files:
        (transfer,) = api.get(f"/api/files/{file_id}/transfers").json()
        Path(transfer["destination_path"]).write_bytes(b"9,9\n")


def test_a_files_re_readings(api: Client, shelf: Any, files: list[str], sweep: Any) -> None:
    sweep()
    damage(shelf, api, files[:1])
    sweep()
    damaged, intact = api.get(f"/api/files/{files[0]}/fixity").json()
    assert (intact["outcome"], intact["found"]) == ("intact", None)
    assert damaged["outcome"] == "damaged"
    assert "archived were 4 bytes" in damaged["found"]
    assert damaged["sweep_id"] != intact["sweep_id"]
    assert damaged["checked_at"] > intact["checked_at"]


def test_where_an_instrument_stands(api: Client, shelf: Any, files: list[str], sweep: Any) -> None:
    path = f"/api/instruments/{shelf.instrument['id']}/fixity"
    assert api.get(path).json() == {"copies": 8, "oldest_reread_at": None, "overdue": 8, "damaged": 0}
    damage(shelf, api, files[:1])
    sweep()
    standing = api.get(path).json()
    assert (standing["copies"], standing["overdue"], standing["damaged"]) == (7, 0, 1)
    assert standing["oldest_reread_at"] is not None


def test_the_list_of_damage(api: Client, shelf: Any, files: list[str], sweep: Any) -> None:
    damage(shelf, api, files[:2])
    sweep()
    first = api.get("/api/fixity/damage", params={"limit": 1})
    second = api.get(first.links["next"]["url"])
    found = first.json() + second.json()
    assert {each["file_id"] for each in found} == set(files[:2])
    assert {(each["status"], each["repaired_by"]) for each in found} == {("damaged", None)}
    assert found[0]["destination_path"].startswith(shelf.location["base_path"])
    assert api.get("/api/fixity/damage", params={"repaired": True}).json() == []
    assert len(api.get("/api/fixity/damage", params={"repaired": False}).json()) == 2
    assert api.get("/api/fixity/damage", params={"instrument_id": str(uuid.uuid4())}).json() == []
    assert api.get(f"/api/files/{files[0]}/content").status_code == 503


def test_a_hold_is_released_by_an_admin_and_that_is_on_record(
    api: Client, researcher: dict[str, str], shelf: Any, files: list[str], sweep: Any
) -> None:
    damage(shelf, api, files[:6])
    sweep()
    (hold,) = api.get("/api/fixity/holds").json()
    assert hold["because"].startswith("6 copies are damaged")
    (swept,) = api.get("/api/fixity/sweeps").json()
    assert (swept["id"], swept["files"], swept["damaged"]) == (hold["sweep_id"], 8, 6)
    assert swept["trouble"] == hold["because"]
    release = f"/api/fixity/holds/{hold['id']}/release"
    assert api.post(release, headers=researcher).status_code == 403
    released = api.post(release).json()
    assert released["released_by_id"] == api.get("/users/me").json()["id"]
    assert api.post(release).status_code == 409
    (entry,) = api.get("/api/audit-log", params={"entity_type": "fixity_holds"}).json()
    assert (entry["action"], entry["entity_id"]) == ("update", hold["id"])
    sweep()
    assert len(api.get("/api/fixity/damage", params={"repaired": False}).json()) == 6
    assert api.get("/api/fixity/damage").json()[0]["status"] == "damaged"
