"""Changed and forgotten passwords, and verified addresses: over HTTP, with mails over a real SMTP server."""

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select, update

from streamweave.access.passwords import _QUEUE, AT_ONCE, WAITING
from streamweave.access.tokens import token_digest
from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import MailedToken, User
from streamweave.settings import Settings
from streamweave_api.app import create_app

Client = TestClient[Litestar]

EMAIL, OLD, NEW = "researcher@test.org", "testpassword123", "another password"
DEADLINE_SECONDS = 30


@pytest.fixture
def user(sessions: Sessions) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": EMAIL, "password": OLD})


@pytest.fixture
def mailing(settings: Settings, smtp_server: Any) -> Settings:
    """Settings of a service that sends mails and locks early."""
    chosen = {
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp_server.port,
        "smtp_starttls": False,
        "mail_from": "facility@test.org",
        "public_url": "https://streamweave.test.org/",
        "login_attempts": 2,
    }
    return settings.model_copy(update=chosen)


@pytest.fixture
def mailed(mailing: Settings) -> Iterator[Client]:
    with TestClient(create_app(mailing)) as client:
        yield client


def log_in(client: Client, password: str) -> int:
    return client.post("/auth/jwt/login", data={"username": EMAIL, "password": password}).status_code


def bearer(client: Client) -> dict[str, str]:
    answer = client.post("/auth/jwt/login", data={"username": EMAIL, "password": OLD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def received(smtp_server: Any, number: int = 1) -> Any:
    """The mail of that number; mails go out after the answer."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(smtp_server.mails) < number and time.monotonic() < deadline:
        time.sleep(0.01)
    return smtp_server.mails[number - 1]


def request_in(mail: Any, url: str) -> dict[str, str]:
    """The body that the mail tells to send to ``url``."""
    found = re.search(rf"curl {re.escape(url)} --json '(.*)'", mail.get_content())
    assert found, mail.get_content()
    body: dict[str, str] = json.loads(found[1])
    return body


def asked_for_reset(client: Client, smtp_server: Any) -> str:
    assert client.post("/auth/forgot-password", json={"email": EMAIL}).status_code == 202
    return request_in(received(smtp_server), "https://streamweave.test.org/auth/reset-password")["token"]


def asked_for_verification(client: Client, smtp_server: Any) -> str:
    assert client.post("/auth/request-verify-token", json={"email": EMAIL}).status_code == 202
    return request_in(received(smtp_server), "https://streamweave.test.org/auth/verify")["token"]


def let_expire(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(MailedToken).values(expires_at=func.now()))


def test_who_knows_the_old_password_sets_a_new_one_and_all_tokens_end(client: Client, user: User) -> None:
    first, second = bearer(client), bearer(client)
    text = client.post("/api/tokens", json={"name": "notebook"}, headers=first).json()["token"]
    answer = client.post("/users/me/password", json={"old_password": OLD, "new_password": NEW}, headers=first)
    assert (answer.status_code, answer.content) == (204, b"")
    for headers in (first, second, {"Authorization": f"Bearer {text}"}):
        assert client.get("/users/me", headers=headers).status_code == 401
    assert (log_in(client, OLD), log_in(client, NEW)) == (400, 200)


def test_a_new_password_takes_the_old_one_and_not_too_many_guesses(mailed: Client, user: User) -> None:
    headers = bearer(mailed)
    short = mailed.post("/users/me/password", json={"old_password": OLD, "new_password": "short"}, headers=headers)
    assert (short.status_code, short.json()["detail"][:14]) == (422, "new_password: ")
    guess = {"old_password": "wrong", "new_password": NEW}
    for _ in range(2):
        answer = mailed.post("/users/me/password", json=guess, headers=headers)
        assert (answer.status_code, answer.json()) == (422, {"detail": "old_password: is not the present password"})
    answer = mailed.post("/users/me/password", json={"old_password": OLD, "new_password": NEW}, headers=headers)
    assert answer.status_code == 429
    assert mailed.get("/users/me", headers=headers).status_code == 200


def test_who_forgot_the_password_sets_a_new_one_with_a_mail(mailed: Client, user: User, smtp_server: Any) -> None:
    headers = bearer(mailed)
    token = asked_for_reset(mailed, smtp_server)
    mail = received(smtp_server)
    assert (mail["From"], mail["To"]) == ("facility@test.org", EMAIL)
    answer = mailed.post("/auth/reset-password", json={"token": token, "password": NEW})
    assert (answer.status_code, answer.content) == (204, b"")
    assert mailed.get("/users/me", headers=headers).status_code == 401
    assert (log_in(mailed, OLD), log_in(mailed, NEW)) == (400, 200)


def test_a_reset_opens_a_locked_account_for_who_receives_its_mail(mailed: Client, user: User, smtp_server: Any) -> None:
    for _ in range(2):
        log_in(mailed, "wrong")
    assert log_in(mailed, OLD) == 429
    token = asked_for_reset(mailed, smtp_server)
    mailed.post("/auth/reset-password", json={"token": token, "password": NEW})
    assert log_in(mailed, NEW) == 200


def test_a_mailed_token_works_once(mailed: Client, user: User, smtp_server: Any) -> None:
    token = asked_for_reset(mailed, smtp_server)
    short = mailed.post("/auth/reset-password", json={"token": token, "password": "short"})
    assert (short.status_code, short.json()["detail"][:10]) == (422, "password: ")
    assert mailed.post("/auth/reset-password", json={"token": token, "password": NEW}).status_code == 204
    again = mailed.post("/auth/reset-password", json={"token": token, "password": OLD})
    assert (again.status_code, again.json()) == (400, {"detail": "RESET_PASSWORD_BAD_TOKEN"})


def test_a_mailed_token_expires_and_is_for_one_purpose(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions
) -> None:
    token = asked_for_reset(mailed, smtp_server)
    verification = mailed.post("/auth/verify", json={"token": token})
    assert (verification.status_code, verification.json()) == (400, {"detail": "VERIFY_USER_BAD_TOKEN"})
    let_expire(sessions)
    for tried in (token, "guessed", "", "\0"):
        assert mailed.post("/auth/reset-password", json={"token": tried, "password": NEW}).status_code == 400
    assert log_in(mailed, OLD) == 200


def test_forged_tokens_are_counted_and_never_hashed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("streamweave.access.accounts.hash_password", hashed.append)
    strict = settings.model_copy(update={"login_attempts_per_address": 3})
    with TestClient(create_app(strict)) as client:
        answers = [client.post("/auth/reset-password", json={"token": "x", "password": NEW}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
    assert hashed == []


def test_while_too_many_passwords_are_hashed_whoever_comes_is_told_when_to_come_back(
    mailed: Client, user: User, smtp_server: Any, admin: dict[str, str]
) -> None:
    headers, token, opened = bearer(mailed), asked_for_reset(mailed, smtp_server), threading.Event()
    login = {"username": EMAIL, "password": OLD}
    with ThreadPoolExecutor(AT_ONCE + WAITING) as threads:
        for _ in range(AT_ONCE + WAITING):
            threads.submit(_QUEUE.run, lambda: opened.wait(DEADLINE_SECONDS))
        while _QUEUE.places_taken < AT_ONCE + WAITING:
            time.sleep(0.005)
        try:
            for _ in range(3):  # more often than a login may fail: who isn't looked at isn't counted
                busy = [
                    mailed.post("/auth/jwt/login", data=login),
                    mailed.post("/auth/cookie/login", data=login),
                    mailed.post("/auth/register", json={"email": "new@test.org", "password": NEW}),
                    mailed.post("/auth/reset-password", json={"token": token, "password": NEW}),
                    mailed.post("/users/me/password", json={"old_password": OLD, "new_password": NEW}, headers=headers),
                    mailed.post("/api/users", json={"email": "new@test.org", "password": NEW}, headers=admin),
                    mailed.patch(f"/api/users/{user.id}", json={"password": NEW}, headers=admin),
                ]
                assert [answer.status_code for answer in busy] == [503] * len(busy)
                assert {int(answer.headers["Retry-After"]) for answer in busy} == {2}
                assert busy[0].json() == {"detail": "Too many logins at this moment: try again in 2 seconds"}
            assert mailed.get("/health").status_code == mailed.get("/users/me", headers=headers).status_code == 200
        finally:
            opened.set()
    assert log_in(mailed, OLD) == 200
    assert mailed.post("/auth/reset-password", json={"token": token, "password": NEW}).status_code == 204


def test_only_a_digest_of_a_mailed_token_is_kept(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions
) -> None:
    token = asked_for_reset(mailed, smtp_server)
    with sessions() as session:
        (kept,) = session.scalars(select(MailedToken)).all()
    assert kept.token_digest == token_digest(token)
    assert kept.expires_at - kept.created_at == timedelta(hours=1)


def test_a_mailed_token_ends_with_the_address_it_was_sent_to(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions, admin: dict[str, str]
) -> None:
    token = asked_for_verification(mailed, smtp_server)
    mailed.patch(f"/api/users/{user.id}", json={"email": "new@test.org"}, headers=admin)
    assert mailed.post("/auth/verify", json={"token": token}).status_code == 400


def test_an_address_is_verified_with_a_mail(mailed: Client, user: User, smtp_server: Any) -> None:
    token = asked_for_verification(mailed, smtp_server)
    answer = mailed.post("/auth/verify", json={"token": token})
    assert answer.status_code == 200
    assert (answer.json()["email"], answer.json()["is_verified"]) == (EMAIL, True)
    assert mailed.post("/auth/verify", json={"token": token}).status_code == 400


def test_the_answer_does_not_tell_who_is_a_user_and_a_mailbox_is_not_filled(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions
) -> None:
    for path in ("/auth/forgot-password", "/auth/request-verify-token"):
        for email in (EMAIL, EMAIL.upper(), "stranger@test.org", "nonsense", "", "\0"):
            answer = mailed.post(path, json={"email": email})
            assert (answer.status_code, list(answer.json())) == (202, ["detail"])
    mailed.post("/auth/forgot-password", json={"email": EMAIL})
    received(smtp_server, 2)
    with sessions.begin() as session:
        session.execute(update(MailedToken).values(created_at=func.now() - timedelta(minutes=2)))
    mailed.post("/auth/forgot-password", json={"email": EMAIL})
    received(smtp_server, 3)
    assert [mail["To"] for mail in smtp_server.mails] == [EMAIL] * 3
    assert [mail["Subject"][:5] for mail in smtp_server.mails] == ["A new", "Is th", "A new"]


def test_where_mails_are_sent_registering_and_logging_in_tell_nothing(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions
) -> None:
    def tried(email: str) -> tuple[int, int]:
        asked = mailed.post("/auth/register", json={"email": email, "password": NEW})
        login = mailed.post("/auth/jwt/login", data={"username": email, "password": NEW})
        return asked.status_code, login.status_code

    assert tried(EMAIL) == tried("new@test.org") == (201, 400)
    assert tried(EMAIL) == (201, 400)
    received(smtp_server, 2)
    by_receiver = {mail["To"]: mail for mail in smtp_server.mails}
    assert "You have an account there already" in by_receiver[EMAIL].get_content()
    assert log_in(mailed, OLD) == 429, "guesses are counted as ever"
    token = request_in(by_receiver["new@test.org"], "https://streamweave.test.org/auth/verify")["token"]
    assert mailed.post("/auth/verify", json={"token": token}).status_code == 200
    login = mailed.post("/auth/jwt/login", data={"username": "new@test.org", "password": NEW})
    assert login.status_code == 200
    assert [mail["To"] for mail in smtp_server.mails].count(EMAIL) == 1, "nobody's mailbox is filled"


def test_an_admin_opens_an_account_that_awaits_its_mail(
    mailed: Client, sessions: Sessions, admin: dict[str, str]
) -> None:
    registered = mailed.post("/auth/register", json={"email": EMAIL, "password": OLD}).json()
    path = f"/api/users/{registered['id']}"
    assert mailed.get(path, headers=admin).json()["awaits_verification"] is True
    assert log_in(mailed, OLD) == 400
    verified = mailed.patch(path, json={"is_verified": True}, headers=admin).json()
    assert verified["awaits_verification"] is False
    assert log_in(mailed, OLD) == 200


def test_who_is_switched_off_or_verified_gets_no_mail(
    mailed: Client, user: User, smtp_server: Any, sessions: Sessions
) -> None:
    with sessions.begin() as session:
        session.execute(update(User).values(is_verified=True))
    mailed.post("/auth/request-verify-token", json={"email": EMAIL})
    with sessions.begin() as session:
        session.execute(update(User).values(is_active=False, is_verified=False))
    mailed.post("/auth/request-verify-token", json={"email": EMAIL})
    mailed.post("/auth/forgot-password", json={"email": EMAIL})
    with sessions() as session:
        assert session.scalars(select(MailedToken)).all() == []
    assert smtp_server.mails == []


def test_without_a_mail_server_the_answer_is_the_same_and_the_log_says_so(
    client: Client, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.post("/auth/forgot-password", json={"email": EMAIL}).status_code == 202
    assert "STREAMWEAVE_SMTP_HOST is not set" in caplog.text
