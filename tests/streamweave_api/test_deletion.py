"""What is deleted is out of use and out of sight, and comes back when it is restored."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
Body = dict[str, Any]

FILTER = {"name": "Filter", "trigger": "pre_transfer", "builtin_name": "file_filter"}
NOUNS = {
    "instruments": "instrument",
    "service-accounts": "service account",
    "storage-locations": "storage location",
    "schedules": "schedule",
    "hooks": "hook",
}


@pytest.fixture
def lone_rows(api: Client, schedule: Body, tmp_path: Path) -> dict[str, Body]:
    """One row of everything that can be deleted, named by nothing else."""
    account = {"name": "simlab", "username": "sim", "password": "a secret"}
    other = {"name": "Spectrometer 01", "cifs_host": "spectrometer-01", "cifs_share": "spectrometer"}
    place = {"name": "Restricted", "base_path": str(tmp_path / "restricted")}
    return {
        "instruments": api.post("/api/instruments", json=other).json(),
        "service-accounts": api.post("/api/service-accounts", json=account).json(),
        "storage-locations": api.post("/api/storage-locations", json=place).json(),
        "schedules": schedule,
        "hooks": api.post("/api/hooks", json=FILTER).json(),
    }


@pytest.mark.parametrize("noun", NOUNS)
def test_what_is_deleted_can_be_restored(api: Client, lone_rows: dict[str, Body], noun: str) -> None:
    row, listed = lone_rows[noun], f"/api/{noun}"
    path = f"{listed}/{row['id']}"
    before = api.get(listed).json()
    nothing = api.post(f"{path}/restore")
    assert nothing.status_code == 404
    assert nothing.json() == {"detail": f"Deleted {NOUNS[noun]} not found"}

    assert api.delete(path).status_code == 204
    for gone in [api.get(path), api.patch(path, json={}), api.delete(path)]:
        assert gone.status_code == 404
    assert api.get(listed).json() == [other for other in before if other["id"] != row["id"]]
    all_of_them = api.get(f"{listed}?include_deleted=true").json()
    assert [other["id"] for other in all_of_them] == [other["id"] for other in before]
    assert [other["id"] for other in all_of_them if other["deleted_at"]] == [row["id"]]

    restored = api.post(f"{path}/restore")
    assert restored.status_code == 200
    assert restored.json() == api.get(path).json()
    assert restored.json()["deleted_at"] is None
    assert [other["id"] for other in api.get(listed).json()] == [other["id"] for other in before]


def test_only_admins_restore(client: Client, researcher: dict[str, str]) -> None:
    path = "/api/schedules/00000000-0000-0000-0000-000000000000/restore"
    assert client.post(path, headers=researcher).status_code == 403


@pytest.mark.parametrize("noun", ["service-accounts", "storage-locations"])
def test_a_name_that_was_taken_meanwhile_prevents_the_return(
    api: Client, lone_rows: dict[str, Body], noun: str, tmp_path: Path
) -> None:
    again = {
        "service-accounts": {"name": "simlab", "username": "other", "password": "another"},
        "storage-locations": {"name": "Restricted", "base_path": str(tmp_path / "elsewhere")},
    }
    path = f"/api/{noun}/{lone_rows[noun]['id']}"
    api.delete(path)
    assert api.post(f"/api/{noun}", json=again[noun]).status_code == 201
    refused = api.post(f"{path}/restore")
    assert refused.status_code == 409
    assert "exists already" in refused.json()["detail"]


def test_a_place_that_was_taken_meanwhile_prevents_the_return(api: Client, lone_rows: dict[str, Body]) -> None:
    location = lone_rows["storage-locations"]
    path = f"/api/storage-locations/{location['id']}"
    api.delete(path)
    same_place = {"name": "Other", "base_path": location["base_path"]}
    assert api.post("/api/storage-locations", json=same_place).status_code == 201
    assert api.post(f"{path}/restore").status_code == 409


def test_an_instrument_goes_and_comes_with_its_schedules_and_hooks(
    api: Client, schedule: Body, instrument: Body
) -> None:
    hook = api.post("/api/hooks", json={**FILTER, "instrument_id": instrument["id"]}).json()
    gone_before = api.post("/api/hooks", json={**FILTER, "instrument_id": instrument["id"]}).json()
    everywhere = api.post("/api/hooks", json=FILTER).json()
    api.delete(f"/api/hooks/{gone_before['id']}")

    api.delete(f"/api/instruments/{instrument['id']}")
    assert api.get("/api/schedules").json() == []
    assert [left["id"] for left in api.get("/api/hooks").json()] == [everywhere["id"]]
    for path in [f"/api/schedules/{schedule['id']}/restore", f"/api/hooks/{hook['id']}/restore"]:
        refused = api.post(path)
        assert refused.status_code == 409
        assert refused.json() == {"detail": "the instrument Microscope 01 is deleted: restore it first"}

    api.post(f"/api/instruments/{instrument['id']}/restore")
    assert [back["id"] for back in api.get("/api/schedules").json()] == [schedule["id"]]
    assert [back["id"] for back in api.get("/api/hooks").json()] == [hook["id"], everywhere["id"]]


def test_nothing_new_refers_to_what_is_deleted(api: Client, schedule: Body, lone_rows: dict[str, Body]) -> None:
    for noun in ("instruments", "service-accounts", "storage-locations"):
        assert api.delete(f"/api/{noun}/{lone_rows[noun]['id']}").status_code == 204
    wanted = {
        "instrument_id": lone_rows["instruments"]["id"],
        "default_storage_location_id": schedule["default_storage_location_id"],
        "cron_expression": "0 * * * *",
    }
    deleted_place = {"default_storage_location_id": lone_rows["storage-locations"]["id"]}
    redirect = {"redirect_rules": [{"pattern": "*.raw", "destination": "Restricted"}]}
    for refused in [
        api.post("/api/schedules", json=wanted),
        api.patch(f"/api/schedules/{schedule['id']}", json=deleted_place),
        api.post("/api/hooks", json={**FILTER, "instrument_id": lone_rows["instruments"]["id"]}),
        api.post("/api/hooks", json={**FILTER, "config": redirect}),
        api.patch(
            f"/api/instruments/{schedule['instrument_id']}",
            json={"service_account_id": lone_rows["service-accounts"]["id"]},
        ),
    ]:
        assert refused.status_code == 422


def test_a_storage_location_that_a_schedule_names_stays(api: Client, schedule: Body, instrument: Body) -> None:
    location = f"/api/storage-locations/{schedule['default_storage_location_id']}"
    refused = api.delete(location)
    assert refused.status_code == 409
    assert "named by a schedule" in refused.json()["detail"]
    api.delete(f"/api/instruments/{instrument['id']}")
    assert api.delete(location).status_code == 204
    back = api.post(f"/api/instruments/{instrument['id']}/restore")
    assert back.status_code == 409
    assert back.json() == {"detail": "the storage location Archive Storage is deleted: restore it first"}


def test_an_instrument_does_not_come_back_without_its_account(
    api: Client, instrument: Body, lone_rows: dict[str, Body]
) -> None:
    account, path = lone_rows["service-accounts"]["id"], f"/api/instruments/{instrument['id']}"
    api.patch(path, json={"service_account_id": account})
    api.delete(path)
    assert api.delete(f"/api/service-accounts/{account}").status_code == 204
    assert api.post(f"{path}/restore").status_code == 409
    api.post(f"/api/service-accounts/{account}/restore")
    assert api.post(f"{path}/restore").status_code == 200


def test_whoever_enters_a_deleted_instrument_anew_is_told_how_to_restore_it(
    api: Client, lone_rows: dict[str, Body]
) -> None:
    deleted = lone_rows["instruments"]
    api.delete(f"/api/instruments/{deleted['id']}")
    for again in ({"name": deleted["name"], "slug": "new"}, {"name": "New", "slug": deleted["slug"]}):
        refused = api.post("/api/instruments", json={"cifs_host": "s", "cifs_share": "s", **again})
        assert refused.status_code == 409
        assert "deleted instrument Spectrometer 01" in refused.json()["detail"]
        assert f"POST /api/instruments/{deleted['id']}/restore" in refused.json()["detail"]
    assert api.post(f"/api/instruments/{deleted['id']}/restore").status_code == 200


def test_a_hook_that_redirects_to_what_is_deleted_does_not_come_back(api: Client, lone_rows: dict[str, Body]) -> None:
    redirect = {"redirect_rules": [{"pattern": "*.raw", "destination": "Restricted"}]}
    hook = f"/api/hooks/{api.post('/api/hooks', json={**FILTER, 'config': redirect}).json()['id']}"
    api.delete(hook)
    assert api.delete(f"/api/storage-locations/{lone_rows['storage-locations']['id']}").status_code == 204
    refused = api.post(f"{hook}/restore")
    assert refused.status_code == 409
    assert "there is no storage location named Restricted" in refused.json()["detail"]


def test_dagster_hears_of_what_is_deleted_and_restored(api: Client, schedule: Body, dagster: Any) -> None:
    dagster.wait_until_asked("Reload")
    heard = [operation for operation, _ in dagster.asked].count("Reload")
    api.delete(f"/api/schedules/{schedule['id']}")
    dagster.wait_until_asked("Reload", heard + 1)
    api.post(f"/api/schedules/{schedule['id']}/restore")
    dagster.wait_until_asked("Reload", heard + 2)
    assert [operation for operation, _ in dagster.asked].count("Reload") >= heard + 2
