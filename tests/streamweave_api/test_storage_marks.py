"""Storage locations over REST: their marks, and places that are taken over."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func

from streamweave.catalog.schema import renew_identity
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Readoption

Client = Any
Body = dict[str, Any]


def place_of(location: Body) -> Path:
    return Path(location["base_path"])


def test_a_new_location_says_when_it_was_marked(location: Body) -> None:
    assert location["marked_at"] is not None
    assert (location["refused_at"], location["refusal"]) == (None, None)
    assert location["marked_at"][:19] in (place_of(location) / ".streamweave/location").read_text()


def test_a_location_whose_place_is_refused_says_why_until_it_is_found_again(api: Client, location: Body) -> None:
    place = place_of(location)
    place.rename(place.with_name("unmounted"))
    test, show = f"/api/storage-locations/{location['id']}/test", f"/api/storage-locations/{location['id']}"
    assert api.post(test).json()["ok"] is False
    refused = api.get(show).json()
    assert "Is the disk mounted?" in refused["refusal"]
    assert refused["refused_at"] is not None
    place.with_name("unmounted").rename(place)
    assert api.post(test).json()["ok"] is True
    assert (api.get(show).json()["refused_at"], api.get(show).json()["refusal"]) == (None, None)


def test_a_location_whose_journals_differ_from_the_catalog_says_so(
    api: Client, location: Body, sessions: Sessions
) -> None:
    assert location["journal_conflicts"] is None
    with sessions.begin() as session:
        numbers = {
            "files": 0,
            "versions": 0,
            "copies": 0,
            "illegible": 0,
            "conflicts": ["share/a: has two identifiers"],
        }
        session.add(Readoption(storage_location_id=location["id"], read_at=func.now(), **numbers))
    (shown,) = api.get("/api/storage-locations").json()
    assert "conflicts with the catalog (1), the first: share/a: has two identifiers" in shown["journal_conflicts"]


@pytest.fixture
def strange(location: Body, sessions: Sessions) -> Body:
    """A location whose place has become another catalog's."""
    with sessions.begin() as session:
        renew_identity(session)
    return location


def test_a_place_is_taken_over_on_purpose(api: Client, strange: Body) -> None:
    test = f"/api/storage-locations/{strange['id']}/test"
    assert "belongs to another catalog" in api.post(test).json()["detail"]
    adopted = api.post(f"/api/storage-locations/{strange['id']}/adopt")
    assert adopted.status_code == 200
    body = adopted.json()
    assert body["replaced_location_id"] == strange["id"]
    assert body["replaced_catalog_id"] is not None
    assert body["location"]["marked_at"] > strange["marked_at"]
    assert api.post(test).json()["ok"] is True
    entries = api.get("/api/audit-log", params={"entity_type": "storage_locations"}).json()
    assert any("marked_at" in entry["changes"] and entry["action"] == "update" for entry in entries)


def test_a_place_that_is_not_there_can_not_be_taken_over(api: Client, strange: Body) -> None:
    shutil.rmtree(place_of(strange))
    refused = api.post(f"/api/storage-locations/{strange['id']}/adopt")
    assert refused.status_code == 409
    assert "is the disk mounted" in refused.json()["detail"]
    assert not place_of(strange).exists()


def test_a_new_location_takes_a_strangers_place_only_when_it_is_told_to(
    api: Client, strange: Body, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(place_of(strange), theirs)
    entered = {"name": "Second", "base_path": str(theirs)}
    refused = api.post("/api/storage-locations", json=entered)
    assert refused.status_code == 422
    assert '"adopt": true' in refused.json()["detail"]
    assert api.post("/api/storage-locations", json={**entered, "adopt": True}).status_code == 201


def test_what_does_not_exist_can_not_be_taken_over(api: Client) -> None:
    answer = api.post("/api/storage-locations/7cb0e261-f511-4ff3-96af-0bd3323d0ba7/adopt")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Storage location not found")
