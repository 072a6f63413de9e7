import threading
import uuid

import pytest
from sqlalchemy import select

from streamweave.access.passwords import password_matches
from streamweave.access.users import create_user, delete_user, update_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import Role, User
from streamweave.errors import Conflict, InvalidInput, NotFound

PASSWORD = "adminpassword123"


def made(sessions: Sessions, email: str, role: Role = Role.USER) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": email, "password": PASSWORD, "role": role})


def test_the_last_active_admin_stays(sessions: Sessions) -> None:
    admin = made(sessions, "admin@test.org", Role.ADMIN)
    switched_off = made(sessions, "former@test.org", Role.ADMIN)
    with sessions.begin() as session:
        update_user(session, switched_off.id, {"is_active": False})
    for changes in [{"role": "user"}, {"is_active": False}, {"role": "user", "is_active": True}]:
        with sessions() as session, pytest.raises(Conflict, match="last active admin"):
            update_user(session, admin.id, changes)
    with sessions() as session, pytest.raises(Conflict, match="last active admin"):
        delete_user(session, admin.id)
    with sessions.begin() as session:
        update_user(session, admin.id, {"role": "admin", "is_active": True, "email": "boss@test.org"})
        delete_user(session, switched_off.id)


def test_two_admins_who_demote_each_other_at_the_same_time_leave_one(sessions: Sessions) -> None:
    admins = [made(sessions, f"admin{number}@test.org", Role.ADMIN) for number in range(2)]
    start, refused = threading.Barrier(2), []

    def demote(user: User) -> None:
        start.wait(30)
        try:
            with sessions.begin() as session:
                update_user(session, user.id, {"role": "user"})
        except Conflict as error:
            refused.append(error)

    threads = [threading.Thread(target=demote, args=(user,)) for user in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with sessions() as session:
        assert len(session.scalars(select(User).where(User.role == Role.ADMIN)).all()) == 1
    assert len(refused) == 1


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"password": "another password"}, True),
        ({"role": "admin"}, True),
        ({"is_active": False}, True),
        ({"is_active": True, "role": "user"}, False),
        ({"email": "new@test.org"}, False),
        ({}, False),
    ],
)
def test_what_ends_all_tokens(sessions: Sessions, changes: dict[str, object], ends: bool) -> None:
    made(sessions, "admin@test.org", Role.ADMIN)
    user = made(sessions, "researcher@test.org")
    with sessions.begin() as session:
        assert update_user(session, user.id, changes).token_version == int(ends)


def test_a_new_address_has_to_be_verified_anew(sessions: Sessions) -> None:
    user = made(sessions, "researcher@test.org")
    with sessions.begin() as session:
        assert update_user(session, user.id, {"is_verified": True}).is_verified
    with sessions.begin() as session:
        assert not update_user(session, user.id, {"email": "new@test.org"}).is_verified
    with sessions.begin() as session:
        assert update_user(session, user.id, {"email": "newer@test.org", "is_verified": True}).is_verified


def test_an_admin_sets_a_password(sessions: Sessions) -> None:
    user = made(sessions, "researcher@test.org")
    with sessions.begin() as session:
        changed = update_user(session, user.id, {"password": "another password"})
    assert password_matches("another password", changed.password_hash)


def test_what_can_not_be_is_refused(sessions: Sessions) -> None:
    user = made(sessions, "researcher@test.org")
    made(sessions, "other@test.org")
    for changes in [
        {"role": "boss"},
        {"is_active": "yes"},
        {"email": None},
        {"password": "short"},
        {"token_version": 1},
    ]:
        with sessions() as session, pytest.raises(InvalidInput):
            update_user(session, user.id, changes)
    with sessions() as session, pytest.raises(Conflict, match=r"^email: "):
        update_user(session, user.id, {"email": "OTHER@test.org"})
    with sessions() as session, pytest.raises(NotFound, match="User not found"):
        delete_user(session, uuid.uuid4())
