import uuid
from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, update

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import ApiToken

Client = TestClient[Litestar]
Headers = dict[str, str]

INSTRUMENT = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}


@pytest.fixture
def token(client: Client) -> Callable[..., Headers]:
    """Makes a token, and the headers that show it."""

    def make(login: Headers, **values: Any) -> Headers:
        answer = client.post("/api/tokens", json={"name": "notebook", **values}, headers=login)
        assert answer.status_code == 201
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    return make


def test_a_token_is_shown_once(client: Client, researcher: Headers) -> None:
    made = client.post("/api/tokens", json={"name": "notebook"}, headers=researcher).json()
    assert made.pop("token").startswith("swt_")
    assert (made["name"], made["scope"], made["last_used_at"]) == ("notebook", "read", None)
    assert client.get("/api/tokens", headers=researcher).json() == [made]


def test_a_token_for_reading_reads_what_its_user_sees_and_changes_nothing(
    client: Client, admin: Headers, researcher: Headers, token: Callable[..., Headers]
) -> None:
    reading = token(admin)
    assert client.get("/api/instruments", headers=reading).json() == []
    for answer in [
        client.post("/api/instruments", json=INSTRUMENT, headers=reading),
        client.post("/api/tokens", json={"name": "next"}, headers=reading),
        client.get("/auth/check-admin", headers=reading),
    ]:
        assert (answer.status_code, answer.json()) == (403, {"detail": "This token is for reading only"})
    answer = client.get("/api/instruments", headers=token(researcher))
    assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})
    assert client.get("/users/me", headers=token(researcher)).status_code == 200


def test_an_admins_token_may_all_but_what_takes_a_login(
    client: Client, admin: Headers, token: Callable[..., Headers]
) -> None:
    powerful = token(admin, scope="admin", expires_in_days=1)
    assert client.post("/api/instruments", json=INSTRUMENT, headers=powerful).status_code == 201
    assert client.get("/auth/check-admin", headers=powerful).status_code == 204
    passwords = {"old_password": "testpassword123", "new_password": "testpassword124"}
    for path, body in [("/api/tokens", {"name": "x"}), ("/users/me/password", passwords), ("/auth/jwt/logout", None)]:
        answer = client.post(path, json=body, headers=powerful)
        assert (answer.status_code, list(answer.json())) == (403, ["detail"])


def test_only_an_admin_gets_a_token_of_scope_admin(client: Client, researcher: Headers) -> None:
    answer = client.post("/api/tokens", json={"name": "x", "scope": "admin"}, headers=researcher)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Admin access required"})


def test_an_ended_or_expired_or_guessed_token_is_refused(
    client: Client, researcher: Headers, token: Callable[..., Headers], sessions: Sessions
) -> None:
    ended, expired = token(researcher), token(researcher)
    ids = [row["id"] for row in client.get("/api/tokens", headers=researcher).json()]
    assert client.delete(f"/api/tokens/{ids[0]}", headers=researcher).status_code == 204
    with sessions.begin() as session:
        session.execute(update(ApiToken).where(ApiToken.id == uuid.UUID(ids[1])).values(expires_at=func.now()))
    for headers in [ended, expired, {"Authorization": "Bearer swt_guessed"}]:
        answer = client.get("/users/me", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})


def test_a_token_is_no_cookie(client: Client, researcher: Headers, token: Callable[..., Headers]) -> None:
    text = token(researcher)["Authorization"].removeprefix("Bearer ")
    assert client.get("/users/me", headers={"Cookie": f"streamweave_login={text}"}).status_code == 401


def test_somebody_elses_tokens_are_neither_shown_nor_ended(
    client: Client, researcher: Headers, admin: Headers, token: Callable[..., Headers]
) -> None:
    token(researcher)
    (row,) = client.get("/api/tokens", headers=researcher).json()
    assert client.get("/api/tokens", headers=admin).json() == []
    answer = client.delete(f"/api/tokens/{row['id']}", headers=admin)
    assert (answer.status_code, answer.json()) == (404, {"detail": "API token not found"})


def test_tokens_are_listed_in_pages(client: Client, researcher: Headers, token: Callable[..., Headers]) -> None:
    for number in range(3):
        token(researcher, name=str(number))
    first = client.get("/api/tokens?limit=2", headers=researcher)
    second = client.get(first.links["next"]["url"], headers=researcher)
    assert [row["name"] for row in first.json() + second.json()] == ["0", "1", "2"]
    assert "next" not in second.links


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"name": ""}, "name: "),
        ({"name": "a\0b"}, "name: "),
        ({"scope": "write"}, "scope: "),
        ({"expires_in_days": 0}, "expires_in_days: "),
        ({"expires_in_days": 10**30}, "expires_in_days: "),
        ({"colour": "red"}, "colour: unknown field"),
    ],
)
def test_what_can_not_be_is_refused_by_name(
    client: Client, researcher: Headers, values: dict[str, Any], detail: str
) -> None:
    answer = client.post("/api/tokens", json={"name": "notebook", **values}, headers=researcher)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)
