import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, update

from streamweave.access.tokens import create_api_token, delete_api_token, user_of_api_token
from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import ApiToken, TokenScope, User
from streamweave.errors import InvalidInput, NotAllowed, NotAuthenticated, NotFound


@pytest.fixture
def user(sessions: Sessions) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": "researcher@test.org", "password": "testpassword123"})


def made(sessions: Sessions, user: User) -> tuple[ApiToken, str]:
    with sessions.begin() as session:
        return create_api_token(session, user, {"name": "notebook"})


def last_used_at(sessions: Sessions, token: ApiToken) -> datetime | None:
    with sessions() as session:
        return session.get_one(ApiToken, token.id).last_used_at


def use(sessions: Sessions, text: str) -> tuple[User, TokenScope]:
    with sessions.begin() as session:
        return user_of_api_token(session, text)


def test_a_token_is_its_users_and_only_its_digest_is_kept(sessions: Sessions, user: User) -> None:
    token, text = made(sessions, user)
    assert text.startswith("swt_")
    assert token.token_digest == hashlib.sha256(text.encode()).digest()
    assert timedelta(days=89) < token.expires_at - datetime.now(UTC) <= timedelta(days=90)
    found, scope = use(sessions, text)
    assert (found.id, scope) == (user.id, TokenScope.READ)


@pytest.mark.parametrize("text", ["swt_", "swt_guessed", "swt_\0", "swt_é", "swt_\ud800", "x" * 100_000])
def test_what_is_not_a_token_is_nobodys(sessions: Sessions, user: User, text: str) -> None:
    made(sessions, user)
    with pytest.raises(NotAuthenticated):
        use(sessions, text)


def test_a_token_ends(sessions: Sessions, user: User) -> None:
    _, text = made(sessions, user)
    with sessions.begin() as session:
        session.execute(update(ApiToken).values(expires_at=func.now()))
    with pytest.raises(NotAuthenticated):
        use(sessions, text)


def test_a_token_of_somebody_who_is_switched_off_does_not_count(sessions: Sessions, user: User) -> None:
    _, text = made(sessions, user)
    with sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
    with pytest.raises(NotAuthenticated):
        use(sessions, text)


def test_use_is_noted_but_not_each_time(sessions: Sessions, user: User) -> None:
    token, text = made(sessions, user)
    assert last_used_at(sessions, token) is None
    use(sessions, text)
    noted = last_used_at(sessions, token)
    assert noted is not None
    use(sessions, text)
    assert last_used_at(sessions, token) == noted
    long_ago = noted - timedelta(minutes=2)
    with sessions.begin() as session:
        session.execute(update(ApiToken).values(last_used_at=long_ago))
    use(sessions, text)
    assert (last_used_at(sessions, token) or long_ago) > long_ago


def test_only_an_admin_has_tokens_of_scope_admin(sessions: Sessions, user: User) -> None:
    with sessions() as session, pytest.raises(NotAllowed):
        create_api_token(session, user, {"name": "notebook", "scope": "admin"})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"name": ""},
        {"name": "a\0b"},
        {"name": "x", "scope": "write"},
        {"name": "x", "expires_in_days": 0},
        {"name": "x", "expires_in_days": 367},
        {"name": "x", "colour": "red"},
    ],
)
def test_what_can_not_be_is_refused(sessions: Sessions, user: User, values: dict[str, object]) -> None:
    with sessions() as session, pytest.raises(InvalidInput):
        create_api_token(session, user, values)


def test_nobody_ends_somebody_elses_token(sessions: Sessions, user: User) -> None:
    token, text = made(sessions, user)
    with sessions.begin() as session:
        other = create_user(session, {"email": "other@test.org", "password": "testpassword123"})
        with pytest.raises(NotFound):
            delete_api_token(session, other, token.id)
        delete_api_token(session, user, token.id)
    with pytest.raises(NotAuthenticated):
        use(sessions, text)
