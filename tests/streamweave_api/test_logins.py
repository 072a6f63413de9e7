"""Logging in and out over HTTP: bearer tokens, cookies, and what limits both."""

import time
import uuid
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select, update

from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import RevokedToken, Role, User
from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]

LOGIN = {"username": "researcher@test.org", "password": "testpassword123"}
WRONG = {**LOGIN, "password": "wrong"}
INSTRUMENT = {"name": "Microscope 01", "cifs_host": "microscope-01", "cifs_share": "microscope"}
UNAUTHORIZED = {"detail": "Unauthorized"}


@pytest.fixture
def user(sessions: Sessions) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": LOGIN["username"], "password": LOGIN["password"]})


@pytest.fixture
def admin_user(sessions: Sessions, user: User) -> User:
    with sessions.begin() as session:
        session.execute(update(User).values(role=Role.ADMIN))
    return user


@pytest.fixture
def browser(settings: Settings) -> Iterator[Client]:
    """A client that keeps cookies, of a service that sends them over plain HTTP too."""
    with TestClient(create_app(settings.model_copy(update={"cookie_secure": False}))) as client:
        yield client


@pytest.fixture
def strict(settings: Settings) -> Iterator[Client]:
    """A service that locks after two attempts."""
    with TestClient(create_app(settings.model_copy(update={"login_attempts": 2}))) as client:
        yield client


def bearer(client: Client, login: dict[str, str] = LOGIN) -> dict[str, str]:
    answer = client.post("/auth/jwt/login", data=login)
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def csrf(client: Client) -> dict[str, str]:
    return {"X-CSRF-Token": client.cookies["streamweave_csrf"]}


def test_logging_out_truly_ends_the_token_and_no_other(client: Client, user: User, sessions: Sessions) -> None:
    first, second = bearer(client), bearer(client)
    answer = client.post("/auth/jwt/logout", headers=first)
    assert (answer.status_code, answer.content) == (204, b"")
    for answer in [client.get("/users/me", headers=first), client.post("/auth/jwt/logout", headers=first)]:
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert client.get("/users/me", headers=second).status_code == 200
    with sessions() as session:
        assert len(session.scalars(select(RevokedToken)).all()) == 1


def test_a_token_ends_with_the_user(client: Client, user: User, sessions: Sessions) -> None:
    headers = bearer(client)
    with sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
    answer = client.get("/users/me", headers=headers)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    with sessions.begin() as session:
        session.delete(session.get_one(User, user.id))
    assert client.get("/users/me", headers=headers).status_code == 401


def test_forged_foreign_and_expired_tokens_are_refused(client: Client, user: User, settings: Settings) -> None:
    now = int(time.time())
    claims = {"sub": str(user.id), "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex, "ver": 0}
    ours = OctKey.import_key(settings.secret_key.get_secret_value())

    def status(token: str) -> int:
        return client.get("/users/me", headers={"Authorization": f"Bearer {token}"}).status_code

    assert status(jwt.encode({"alg": "HS256"}, claims, ours)) == 200
    assert status(jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("another secret" * 4))) == 401
    assert status(jwt.encode({"alg": "HS384"}, claims, ours, algorithms=["HS384"])) == 401
    assert status(jwt.encode({"alg": "HS256"}, {**claims, "exp": now - 1}, ours)) == 401
    assert status(jwt.encode({"alg": "HS256"}, {**claims, "ver": 1}, ours)) == 401
    assert status(jwt.encode({"alg": "HS256"}, {**claims, "sub": str(uuid.uuid4())}, ours)) == 401
    header, payload, signature = jwt.encode({"alg": "HS256"}, claims, ours).split(".")
    for forged in [f"{header}.{payload}.", f"eyJhbGciOiJub25lIn0.{payload}.", f"{header}.{payload}.{signature[:-4]}"]:
        assert status(forged) == 401


def test_a_browser_logs_in_by_cookie_and_out_again(browser: Client, user: User) -> None:
    answer = browser.post("/auth/cookie/login", data=LOGIN)
    assert (answer.status_code, answer.content) == (204, b"")
    assert browser.get("/users/me").json()["email"] == user.email
    cookies = dict(browser.cookies)
    assert browser.post("/auth/cookie/logout", headers=csrf(browser)).status_code == 204
    assert dict(browser.cookies) == {}
    browser.cookies.update(cookies)
    answer = browser.get("/users/me")
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_plain_http(client: Client, user: User) -> None:
    answer = client.post("/auth/cookie/login", data=LOGIN)
    cookies = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        cookies.load(header)
    login, csrf_cookie = cookies["streamweave_login"], cookies["streamweave_csrf"]
    assert login["httponly"]
    assert not csrf_cookie["httponly"]
    for cookie in (login, csrf_cookie):
        assert cookie["secure"]
        assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("lax", "/", "3600")
        assert cookie["domain"] == ""


def test_a_wrong_password_sets_no_cookie(browser: Client, user: User) -> None:
    answer = browser.post("/auth/cookie/login", data=WRONG)
    assert (answer.status_code, answer.json()) == (400, {"detail": "LOGIN_BAD_CREDENTIALS"})
    assert "set-cookie" not in answer.headers


def test_another_sites_page_logs_nobody_in(browser: Client, user: User) -> None:
    answer = browser.post("/auth/cookie/login", data=LOGIN, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_by_cookie_nothing_changes_without_the_token_against_forgery(browser: Client, admin_user: User) -> None:
    browser.post("/auth/cookie/login", data=LOGIN)
    other_login = csrf(browser)
    browser.post("/auth/cookie/login", data=LOGIN)
    assert browser.get("/api/instruments").status_code == 200
    for headers in [{}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "guessed"}, other_login]:
        for answer in [
            browser.post("/api/instruments", json=INSTRUMENT, headers=headers),
            browser.patch(f"/api/users/{admin_user.id}", json={}, headers=headers),
            browser.delete(f"/api/users/{admin_user.id}", headers=headers),
            browser.post("/auth/cookie/logout", headers=headers),
        ]:
            assert answer.status_code == 403
            assert "X-CSRF-Token" in answer.json()["detail"]
    assert browser.post("/api/instruments", json=INSTRUMENT, headers=csrf(browser)).status_code == 201


def test_a_bearer_token_needs_no_token_against_forgery_even_beside_a_cookie(browser: Client, admin_user: User) -> None:
    browser.post("/auth/cookie/login", data=LOGIN)
    assert browser.post("/api/instruments", json=INSTRUMENT, headers=bearer(browser)).status_code == 201
    assert browser.get("/users/me", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_only_an_admin_passes_the_reverse_proxys_question(
    browser: Client, user: User, sessions: Sessions, settings: Settings
) -> None:
    def statuses(headers: dict[str, str]) -> list[int]:
        return [
            browser.get("/auth/check-admin").status_code,
            browser.get("/auth/check-admin", headers=headers).status_code,
        ]

    answer = browser.get("/auth/check-admin")
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    headers = bearer(browser)
    browser.post("/auth/cookie/login", data=LOGIN)
    assert statuses(headers) == [403, 403]
    with sessions.begin() as session:
        session.execute(update(User).values(role=Role.ADMIN))
    assert statuses(headers) == [204, 204]
    browser.post("/auth/cookie/logout", headers=csrf(browser))
    assert statuses(headers) == [401, 204]


@pytest.mark.parametrize("path", ["/auth/jwt/login", "/auth/cookie/login"])
def test_too_many_attempts_are_told_when_to_come_back(strict: Client, user: User, path: str) -> None:
    for _ in range(2):
        assert strict.post(path, data=WRONG).status_code == 400
    answer = strict.post(path, data=LOGIN)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    assert answer.json() == {"detail": f"Too many attempts: try again in {answer.headers['Retry-After']} seconds"}


def test_attempts_count_together_in_all_processes_of_the_service(
    strict: Client, settings: Settings, user: User
) -> None:
    strict.post("/auth/jwt/login", data=WRONG)
    with TestClient(create_app(settings.model_copy(update={"login_attempts": 2}))) as another:
        assert another.post("/auth/jwt/login", data=WRONG).status_code == 400
        assert another.post("/auth/jwt/login", data=LOGIN).status_code == 429
    assert strict.post("/auth/jwt/login", data=LOGIN).status_code == 429


@pytest.mark.parametrize("username", ["", "\0", "a" * 10_000, "é@ü", "' OR 1=1 --"])
def test_whatever_is_tried_as_a_name_is_nobodys(client: Client, username: str) -> None:
    answer = client.post("/auth/jwt/login", data={"username": username, "password": "\0é"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "LOGIN_BAD_CREDENTIALS"})


def test_where_registration_is_closed_nobody_registers(settings: Settings, sessions: Sessions) -> None:
    with TestClient(create_app(settings.model_copy(update={"registration_open": False}))) as client:
        answer = client.post("/auth/register", json={"email": "new@test.org", "password": "testpassword123"})
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Registration is closed: ask an admin for an account"}
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(User)) == 0
