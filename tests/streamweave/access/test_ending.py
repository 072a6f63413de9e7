from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from streamweave.access.tokens import (
    Claims,
    claims_of,
    create_api_token,
    end_all_tokens,
    end_token,
    issue_token,
    sweep,
    user_of_api_token,
    user_of_login,
)
from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import RevokedToken, User
from streamweave.errors import NotAuthenticated

SECRET = "a secret of the tests, long enough to sign tokens"


@pytest.fixture
def user(sessions: Sessions) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": "researcher@test.org", "password": "testpassword123"})


def login_of(user: User) -> Claims:
    return claims_of(issue_token(user.id, SECRET, 600, user.token_version), SECRET)


def counts(sessions: Sessions, claims: Claims) -> bool:
    try:
        with sessions() as session:
            user_of_login(session, claims)
    except NotAuthenticated:
        return False
    return True


def test_an_ended_token_does_not_count_and_the_others_do(sessions: Sessions, user: User) -> None:
    ended, other = login_of(user), login_of(user)
    for _ in range(2):
        with sessions.begin() as session:
            end_token(session, ended)
    assert not counts(sessions, ended)
    assert counts(sessions, other)


def test_all_tokens_end_at_once_and_new_ones_count(sessions: Sessions, user: User) -> None:
    before = login_of(user)
    with sessions.begin() as session:
        _, text = create_api_token(session, user, {"name": "notebook"})
    with sessions.begin() as session:
        present = session.get_one(User, user.id)
        end_all_tokens(session, present)
    assert not counts(sessions, before)
    assert counts(sessions, login_of(present))
    with sessions() as session, pytest.raises(NotAuthenticated):
        user_of_api_token(session, text)


def test_ending_all_tokens_twice_at_the_same_time_counts_twice(sessions: Sessions, user: User) -> None:
    with sessions.begin() as stale_session:
        stale = stale_session.get_one(User, user.id)
        with sessions.begin() as session:
            end_all_tokens(session, session.get_one(User, user.id))
        end_all_tokens(stale_session, stale)
    with sessions() as session:
        assert session.get_one(User, user.id).token_version == 2


def test_what_has_expired_by_itself_is_swept(sessions: Sessions, user: User) -> None:
    lasting = login_of(user)
    with sessions.begin() as session:
        end_token(session, lasting)
        end_token(session, Claims(user.id, "long ago", 0, datetime.now(UTC) - timedelta(seconds=1)))
        sweep(session)
        assert session.scalars(select(RevokedToken.token_id)).all() == [lasting.token_id]


def test_sweeping_waits_for_nobody(sessions: Sessions, user: User) -> None:
    with sessions.begin() as session:
        end_token(session, Claims(user.id, "long ago", 0, datetime.now(UTC) - timedelta(seconds=1)))
    with sessions.begin() as holder:
        holder.scalars(select(RevokedToken).with_for_update()).all()
        with sessions.begin() as session:
            sweep(session)
            assert session.scalar(select(func.count()).select_from(RevokedToken)) == 1
