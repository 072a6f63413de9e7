import uuid
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

NEW_USER = {"email": "researcher@test.org", "password": "testpassword123"}


def log_in(client: Client, password: str) -> int:
    return client.post("/auth/jwt/login", data={"username": NEW_USER["email"], "password": password}).status_code


def myself(api: Client) -> dict[str, Any]:
    user: dict[str, Any] = api.get("/users/me").json()
    return user


def test_an_admin_makes_shows_changes_and_removes_users(api: Client) -> None:
    made = api.post("/api/users", json={**NEW_USER, "is_verified": True})
    assert made.status_code == 201
    user = made.json()
    assert (user["email"], user["role"], user["is_active"], user["is_verified"]) == (
        NEW_USER["email"],
        "user",
        True,
        True,
    )
    assert not any("password" in field for field in user)
    assert api.get(f"/api/users/{user['id']}").json() == user
    changed = api.patch(f"/api/users/{user['id']}", json={"role": "admin", "password": "another password"})
    assert (changed.status_code, changed.json()["is_superuser"]) == (200, True)
    assert (log_in(api, NEW_USER["password"]), log_in(api, "another password")) == (400, 200)
    assert api.delete(f"/api/users/{user['id']}").status_code == 204
    gone = api.get(f"/api/users/{user['id']}")
    assert (gone.status_code, gone.json()) == (404, {"detail": "User not found"})


def test_users_are_listed_in_pages_in_order_of_creation(api: Client) -> None:
    emails = [f"user{number}@test.org" for number in range(3)]
    for email in emails:
        api.post("/api/users", json={**NEW_USER, "email": email})
    first = api.get("/api/users?limit=2")
    second = api.get(first.links["next"]["url"])
    assert [user["email"] for user in first.json() + second.json()] == [myself(api)["email"], *emails]
    assert "next" not in second.links


def test_the_last_active_admin_can_not_be_taken_away(api: Client) -> None:
    me = f"/api/users/{myself(api)['id']}"
    for answer in [
        api.patch(me, json={"role": "user"}),
        api.patch(me, json={"is_active": False}),
        api.delete(me),
    ]:
        assert answer.status_code == 409
        assert "last active admin" in answer.json()["detail"]
    api.post("/api/users", json={**NEW_USER, "role": "admin"})
    assert api.patch(me, json={"role": "user"}).status_code == 200
    assert api.get("/users/me").status_code == 401


def test_who_is_switched_off_is_out_at_once_and_old_tokens_stay_ended(api: Client, client: Client) -> None:
    user = api.post("/api/users", json=NEW_USER).json()
    form = {"username": NEW_USER["email"], "password": NEW_USER["password"]}
    token = client.post("/auth/jwt/login", data=form).json()["access_token"]
    theirs = {"Authorization": f"Bearer {token}"}
    assert client.get("/users/me", headers=theirs).status_code == 200
    for is_active in (False, True):
        api.patch(f"/api/users/{user['id']}", json={"is_active": is_active})
        assert client.get("/users/me", headers=theirs).status_code == 401
    assert log_in(client, NEW_USER["password"]) == 200


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"email": "nobody"}, "email: "),
        ({"email": None}, "email: "),
        ({"email": "a\0@test.org"}, "email: "),
        ({"password": "short"}, "password: "),
        ({"role": "boss"}, "role: "),
        ({"is_active": "yes"}, "is_active: "),
        ({"token_version": 1}, "token_version: unknown field"),
    ],
)
def test_what_can_not_be_is_refused_by_name(api: Client, changes: dict[str, Any], detail: str) -> None:
    user = api.post("/api/users", json=NEW_USER).json()
    for answer in [
        api.patch(f"/api/users/{user['id']}", json=changes),
        api.post("/api/users", json={**NEW_USER, "email": "other@test.org", **changes}),
    ]:
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(detail)


def test_an_address_is_one_users(api: Client) -> None:
    user = api.post("/api/users", json=NEW_USER).json()
    other = api.post("/api/users", json={**NEW_USER, "email": "other@test.org"}).json()
    for answer in [
        api.post("/api/users", json={**NEW_USER, "email": NEW_USER["email"].upper()}),
        api.patch(f"/api/users/{other['id']}", json={"email": NEW_USER["email"]}),
    ]:
        assert (answer.status_code, answer.json()["detail"][:7]) == (409, "email: ")
    assert api.patch(f"/api/users/{user['id']}", json={"email": NEW_USER["email"].upper()}).status_code == 200


def test_users_are_managed_by_admins_only(client: Client, researcher: dict[str, str]) -> None:
    path = f"/api/users/{uuid.uuid4()}"
    for answer in [
        client.get("/api/users", headers=researcher),
        client.post("/api/users", json=NEW_USER, headers=researcher),
        client.get(path, headers=researcher),
        client.patch(path, json={"role": "admin"}, headers=researcher),
        client.delete(path, headers=researcher),
    ]:
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})
    assert client.get("/api/users").status_code == 401
