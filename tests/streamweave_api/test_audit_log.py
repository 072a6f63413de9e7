from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]
Body = dict[str, Any]


def log(api: Client, **wanted: str) -> list[Body]:
    answer = api.get("/api/audit-log", params=wanted)
    assert answer.status_code == 200
    entries: list[Body] = answer.json()
    return entries


def test_every_change_is_on_record_with_actor_before_and_after(api: Client, schedule: Body) -> None:
    me = api.get("/users/me").json()
    path = f"/api/schedules/{schedule['id']}"
    api.patch(path, json={"enabled": False})
    api.delete(path)
    api.post(f"{path}/restore")
    restored, deleted, changed, created = log(api, entity_id=schedule["id"])
    assert [entry["action"] for entry in (created, changed, deleted, restored)] == [
        "create",
        "update",
        "delete",
        "restore",
    ]
    for entry in (created, changed, deleted, restored):
        assert (entry["actor_id"], entry["actor_email"], entry["entity_type"]) == (me["id"], me["email"], "schedules")
    assert changed["changes"] == {"enabled": {"before": True, "after": False}}
    assert created["changes"]["cron_expression"] == {"before": None, "after": "*/15 * * * *"}
    assert deleted["changes"]["deleted_at"]["before"] is None


def test_passwords_are_not_in_the_log(api: Client) -> None:
    account = {"name": "simlab", "username": "sim", "password": "a secret"}
    path = f"/api/service-accounts/{api.post('/api/service-accounts', json=account).json()['id']}"
    api.patch(path, json={"password": "another secret"})
    api.post("/auth/register", json={"email": "ada@test.org", "password": "a secret of hers"})
    changed, created = log(api, entity_type="service_accounts")
    assert changed["changes"] == {"sealed_password": {"before": "***", "after": "***"}}
    assert created["changes"]["sealed_password"] == {"before": None, "after": "***"}
    registered = log(api, entity_type="users")[0]["changes"]
    assert registered["email"]["after"] == "ada@test.org"
    assert registered["password_hash"] == {"before": None, "after": "***"}


def test_a_refused_change_leaves_no_entry(api: Client, instrument: Body) -> None:
    before = log(api)
    assert api.patch(f"/api/instruments/{instrument['id']}", json={"cifs_port": 0}).status_code == 422
    assert api.patch(f"/api/instruments/{instrument['id']}", json={"name": instrument["name"]}).status_code == 200
    assert log(api) == before


def test_the_log_can_be_narrowed_down(api: Client, schedule: Body) -> None:
    me = api.get("/users/me").json()["id"]
    api.delete(f"/api/schedules/{schedule['id']}")
    newest = log(api)[0]
    assert log(api, action="delete") == [newest]
    assert log(api, since=newest["at"]) == [newest]
    assert newest not in log(api, until=newest["at"])
    assert log(api, actor_id=me, until="2020-01-01T00:00:00") == []
    assert {entry["entity_type"] for entry in log(api)} == {"instruments", "storage_locations", "schedules"}


def test_the_log_comes_in_pages_newest_first(api: Client, schedule: Body) -> None:
    whole = log(api)
    seen: list[Body] = []
    address: str | None = "/api/audit-log?limit=1"
    while address is not None:
        answer = api.get(address)
        seen += answer.json()
        address = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == whole
    assert [entry["at"] for entry in whole] == sorted((entry["at"] for entry in whole), reverse=True)


@pytest.mark.parametrize(
    "query",
    ["action=burn", "entity_id=1", "since=yesterday", "entity_type=%00", "limit=0", "cursor=abc", "until=1e99"],
)
def test_bad_questions_are_refused(api: Client, query: str) -> None:
    answer = api.get(f"/api/audit-log?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_only_admins_read_the_log(client: Client, researcher: dict[str, str]) -> None:
    answer = client.get("/api/audit-log", headers=researcher)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Admin access required"}
