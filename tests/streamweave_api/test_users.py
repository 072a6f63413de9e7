from concurrent.futures import ThreadPoolExecutor

from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from streamweave.access.users import ensure_admin
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]

RESEARCHER = {"email": "researcher@test.org", "password": "testpassword123"}


def log_in(client: Client, username: str, password: str) -> dict[str, str]:
    answer = client.post("/auth/jwt/login", data={"username": username, "password": password})
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_who_registers_can_log_in_and_ask_who_they_are(client: Client) -> None:
    registered = client.post("/auth/register", json=RESEARCHER)
    assert registered.status_code == 201
    user = registered.json()
    assert user.pop("id")
    assert user == {
        "email": "researcher@test.org",
        "is_active": True,
        "is_superuser": False,
        "is_verified": False,
        "role": "user",
    }
    mine = client.get("/users/me", headers=log_in(client, RESEARCHER["email"], RESEARCHER["password"]))
    assert mine.status_code == 200
    assert mine.json() == registered.json()


def test_an_admin_made_at_the_start_can_log_in(client: Client, sessions: Sessions) -> None:
    password = ensure_admin(sessions, "admin@test.org", None)
    assert password is not None
    headers = log_in(client, "Admin@Test.org", password)
    assert client.get("/users/me", headers=headers).json()["is_superuser"] is True
    assert client.get("/api/instruments", headers=headers).json() == []


def test_an_address_can_be_registered_once_and_the_answer_does_not_tell(client: Client, sessions: Sessions) -> None:
    first = client.post("/auth/register", json=RESEARCHER)
    again = client.post("/auth/register", json={"email": "RESEARCHER@test.org", "password": "another password"})
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json() | {"id": again.json()["id"], "email": "RESEARCHER@test.org"}
    assert again.json()["id"] != first.json()["id"]
    assert again.headers.keys() == first.headers.keys()
    with sessions() as session:
        assert [str(user.id) for user in session.scalars(select(User))] == [first.json()["id"]]
    log_in(client, RESEARCHER["email"], RESEARCHER["password"])


def test_two_who_register_an_address_at_the_same_moment_get_the_same_answer(client: Client, sessions: Sessions) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: client.post("/auth/register", json=RESEARCHER), range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4
    with sessions() as session:
        assert len(session.scalars(select(User)).all()) == 1


def test_so_many_may_register_from_one_address_whatever_comes_of_it(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"login_attempts_per_address": 2}))) as strict:
        asked = [RESEARCHER, RESEARCHER, {**RESEARCHER, "email": "another@test.org"}]
        answers = [strict.post("/auth/register", json=body) for body in asked]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
        # logins are counted apart
        assert log_in(strict, RESEARCHER["email"], RESEARCHER["password"])


def test_nobody_can_register_as_an_admin(client: Client) -> None:
    answer = client.post("/auth/register", json={**RESEARCHER, "role": "admin"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "role: unknown field"}


def test_an_unusable_address_or_password_is_refused_by_name(client: Client) -> None:
    for field, value in [
        ("email", "nobody"),
        ("password", "short"),
        ("password", "password1"),
        ("password", "Researcher7"),
    ]:
        answer = client.post("/auth/register", json={**RESEARCHER, field: value})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(f"{field}: ")


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(client: Client) -> None:
    client.post("/auth/register", json=RESEARCHER)
    for username, password in [("researcher@test.org", "wrong"), ("stranger@test.org", "wrong"), ("no\0body", "wrong")]:
        answer = client.post("/auth/jwt/login", data={"username": username, "password": password})
        assert answer.status_code == 400
        assert answer.json() == {"detail": "LOGIN_BAD_CREDENTIALS"}


def test_a_login_without_its_fields_names_what_is_missing(client: Client) -> None:
    answer = client.post("/auth/jwt/login", data={"username": "researcher@test.org"})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "password: is required"}


def test_without_a_valid_token_nothing_is_shown(client: Client) -> None:
    for headers in [
        {},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer a.b.c"},
    ]:
        for path in ["/users/me", "/api/files", "/api/instruments", "/api/transfers", "/api/runs/1"]:
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.json() == {"detail": "Unauthorized"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_management_is_for_admins(client: Client, researcher: dict[str, str]) -> None:
    for path in ["instruments", "service-accounts", "storage-locations", "schedules", "hooks", "runs/1"]:
        answer = client.get(f"/api/{path}", headers=researcher)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Admin access required"}
    answer = client.post("/api/instruments", headers=researcher, json={"nonsense": True})
    assert answer.status_code == 403
