"""What every answer carries, over the whole application."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

LOGIN = {"username": "nobody@test.org", "password": "wrong"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 302),
        ("GET", "/health", 200),
        ("GET", "/schema", 200),
        ("GET", "/schema/openapi.json", 200),
        ("GET", "/schema/assets/swagger-ui.css", 200),
        ("GET", "/schema/assets/none.css", 404),
        ("GET", "/no/such/route", 404),
        ("PUT", "/api/files", 405),
        ("GET", "/api/files", 401),
        ("POST", "/auth/register", 415),
        ("GET", "/ark:/99999/fk4nothing", 404),
    ],
)
def test_no_answer_lets_a_browser_guess_at_its_type(client: Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, follow_redirects=False)
    assert answer.status_code == status
    assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]


def test_logins_and_tokens_are_kept_by_nobody(client: Client, admin: dict[str, str]) -> None:
    user = {"email": "researcher@test.org", "password": "testpassword123"}
    login = {"username": user["email"], "password": user["password"]}
    answers = [
        client.post("/auth/register", json=user),
        client.post("/auth/jwt/login", data=login),
        client.post("/auth/cookie/login", data=login),
        client.post("/auth/jwt/login", data=LOGIN),
        client.post("/api/tokens", json={"name": "notebook"}, headers=admin),
        client.get("/users/me", headers=admin),
        client.get("/api/files", headers=admin),
        client.post("/auth/forgot-password", json={"email": user["email"]}),
        client.post("/auth/reset-password", json={"token": "x", "password": "another password"}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 204, 400, 201, 200, 200, 202, 400]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_what_may_be_kept_says_so_itself(client: Client) -> None:
    assert "max-age" in client.get("/schema/assets/swagger-ui.css").headers["Cache-Control"]


def test_a_fault_of_ours_carries_them_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streamweave_api.users.register_oneself", broken)
    answer = client.post("/auth/register", json={"email": "a@test.org", "password": "testpassword123"})
    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (500, "nosniff")
