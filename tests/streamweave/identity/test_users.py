import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import Conflict, InvalidInput, NotAuthenticated, StartError
from streamweave.identity.users import EMAIL, active_user, authenticate, ensure_admin, register

EMAIL_ADDRESS = "admin@test.org"
PASSWORD = "adminpassword123"


def test_a_user_is_recognised_by_address_and_password(sessions: Sessions) -> None:
    with sessions.begin() as session:
        user = register(session, EMAIL_ADDRESS, PASSWORD)
        assert authenticate(session, "ADMIN@test.org", PASSWORD) is user
        assert user.role == Role.USER
        assert PASSWORD not in user.password_hash
        for email, password in [(EMAIL_ADDRESS, "wrong"), ("stranger@test.org", PASSWORD), ("", "")]:
            with pytest.raises(NotAuthenticated):
                authenticate(session, email, password)


def test_a_user_who_is_switched_off_comes_in_neither_by_password_nor_by_token(sessions: Sessions) -> None:
    with sessions.begin() as session:
        user = register(session, EMAIL_ADDRESS, PASSWORD)
        user.is_active = False
        session.flush()
        with pytest.raises(NotAuthenticated):
            authenticate(session, EMAIL_ADDRESS, PASSWORD)
        with pytest.raises(NotAuthenticated):
            active_user(session, user.id)


def test_an_address_is_the_same_in_capitals(sessions: Sessions) -> None:
    with sessions.begin() as session:
        register(session, EMAIL_ADDRESS, PASSWORD)
        with pytest.raises(Conflict):
            register(session, EMAIL_ADDRESS.upper(), PASSWORD)


@pytest.mark.parametrize("email", ["", "a", "a@", "@b", "a b@c.org", "a@b..org", "a@-b.org", "a@b.org\n", "ä@b.org"])
def test_what_is_not_an_address_is_refused(sessions: Sessions, email: str) -> None:
    with sessions() as session, pytest.raises(InvalidInput) as refused:
        register(session, email, PASSWORD)
    assert refused.value.field == "email"


@given(st.emails())
def test_ordinary_addresses_are_accepted(email: str) -> None:
    local, _, domain = email.rpartition("@")
    if local.isascii() and domain.isascii():
        assert EMAIL.fullmatch(email)


def test_the_first_admin_gets_the_password_that_was_given_or_a_made_up_one(sessions: Sessions) -> None:
    assert ensure_admin(sessions, EMAIL_ADDRESS, PASSWORD) is None
    made_up = ensure_admin(sessions, "second@test.org", None)
    assert made_up is not None
    with sessions() as session:
        assert authenticate(session, EMAIL_ADDRESS, PASSWORD).is_admin
        assert authenticate(session, "second@test.org", made_up).is_admin


def test_an_admin_who_exists_keeps_their_password(sessions: Sessions) -> None:
    ensure_admin(sessions, EMAIL_ADDRESS, PASSWORD)
    assert ensure_admin(sessions, EMAIL_ADDRESS, "another password") is None
    assert ensure_admin(sessions, EMAIL_ADDRESS, None) is None
    with sessions() as session:
        assert authenticate(session, EMAIL_ADDRESS, PASSWORD).is_admin
        assert len(session.scalars(select(User)).all()) == 1


def test_who_registered_the_admins_address_first_does_not_become_admin(sessions: Sessions) -> None:
    with sessions.begin() as session:
        register(session, EMAIL_ADDRESS, PASSWORD)
    with pytest.raises(StartError):
        ensure_admin(sessions, EMAIL_ADDRESS, PASSWORD)
