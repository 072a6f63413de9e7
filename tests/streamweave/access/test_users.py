import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from streamweave.access.passwords import password_matches
from streamweave.access.users import EMAIL, create_user, ensure_admin, user_by_email
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import Conflict, InvalidInput, StartError

EMAIL_ADDRESS = "admin@test.org"
PASSWORD = "adminpassword123"


def admin_with(sessions: Sessions, email: str, password: str) -> bool:
    with sessions() as session:
        user = user_by_email(session, email)
        return user is not None and user.is_admin and password_matches(password, user.password_hash)


def test_a_password_is_kept_as_a_hash(sessions: Sessions) -> None:
    with sessions.begin() as session:
        user = create_user(session, {"email": EMAIL_ADDRESS, "password": PASSWORD})
        assert user.role == Role.USER
        assert PASSWORD not in user.password_hash


def test_an_address_is_the_same_in_capitals(sessions: Sessions) -> None:
    with sessions.begin() as session:
        user = create_user(session, {"email": EMAIL_ADDRESS, "password": PASSWORD})
        assert user_by_email(session, EMAIL_ADDRESS.upper()) is user
        with pytest.raises(Conflict):
            create_user(session, {"email": EMAIL_ADDRESS.upper(), "password": PASSWORD})


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c.org", "a@b..org", "a@-b.org", "a@b.org\n", "ä@b.org", "\0"]
)
def test_what_is_not_an_address_is_refused_and_nobodys(sessions: Sessions, email: str) -> None:
    with sessions() as session:
        assert user_by_email(session, email) is None
        with pytest.raises(InvalidInput) as refused:
            create_user(session, {"email": email, "password": PASSWORD})
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
    assert admin_with(sessions, EMAIL_ADDRESS, PASSWORD)
    assert admin_with(sessions, "second@test.org", made_up)


def test_an_admin_who_exists_keeps_their_password(sessions: Sessions) -> None:
    ensure_admin(sessions, EMAIL_ADDRESS, PASSWORD)
    assert ensure_admin(sessions, EMAIL_ADDRESS, "another password") is None
    assert ensure_admin(sessions, EMAIL_ADDRESS, None) is None
    assert admin_with(sessions, EMAIL_ADDRESS, PASSWORD)
    with sessions() as session:
        assert len(session.scalars(select(User)).all()) == 1


def test_who_registered_the_admins_address_first_does_not_become_admin(sessions: Sessions) -> None:
    with sessions.begin() as session:
        create_user(session, {"email": EMAIL_ADDRESS, "password": PASSWORD})
    with pytest.raises(StartError):
        ensure_admin(sessions, EMAIL_ADDRESS, PASSWORD)
