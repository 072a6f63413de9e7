"""What hooks assign: at once, or when the name appears; never twice."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.grants import Grantee, NamedGrantee, assign_access
from streamweave.access.groups import create_team, delete_team, restore_team, update_team
from streamweave.access.users import create_user, update_user
from streamweave.access.visibility import visible_files
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import FileGrant, FileRecord, GranteeType, Group, PendingGrant, Project, User


@pytest.fixture
def record(sessions: Sessions, add_instrument: Callable[..., Any], add_record: Callable[..., FileRecord]) -> FileRecord:
    with sessions.begin() as session:
        return add_record(session, add_instrument(session, "microscope"), "microscope/user_a/scan_01.csv")


def granted(session: Session) -> list[uuid.UUID]:
    return list(session.scalars(select(FileGrant.grantee_id)))


def waiting(session: Session) -> list[str]:
    return list(session.scalars(select(PendingGrant.name)))


def test_what_is_assigned_twice_is_granted_once(
    sessions: Sessions, record: FileRecord, add_user: Callable[..., User]
) -> None:
    with sessions.begin() as session:
        user = add_user(session, "User_A@test.org")
    for _ in range(2):
        with sessions.begin() as session:
            people = [Grantee(GranteeType.USER, user.id), NamedGrantee(GranteeType.USER, "user_a@TEST.org")]
            assert assign_access(session, {record.id: people}) == set()
    with sessions() as session:
        assert granted(session) == [user.id]
        assert session.scalar(select(FileRecord).where(visible_files(session, user))) is not None


def test_who_was_removed_since_is_told_and_the_others_get_their_grants(
    sessions: Sessions, record: FileRecord, add_user: Callable[..., User]
) -> None:
    gone = Grantee(GranteeType.GROUP, uuid.uuid4())
    with sessions.begin() as session:
        user = add_user(session, "user_a@test.org")
        assert assign_access(session, {record.id: [gone, Grantee(GranteeType.USER, user.id)]}) == {gone}
        assert granted(session) == [user.id]


def test_a_name_that_appears_gets_what_waits_for_it(sessions: Sessions, record: FileRecord) -> None:
    names = [NamedGrantee(GranteeType.GROUP, "Ångström Lab"), NamedGrantee(GranteeType.PROJECT, "Study")]
    for _ in range(2):
        with sessions.begin() as session:
            assign_access(session, {record.id: names})
    with sessions.begin() as session:
        assert sorted(waiting(session)) == ["Study", "Ångström Lab"]
        project = create_team(session, Project, {"name": "STUDY"})
        group = create_team(session, Group, {"name": "something else"})
        assert granted(session) == [project.id]
        update_team(session, Group, group.id, {"name": "Ångström Lab"})
        assert set(granted(session)) == {project.id, group.id}
        assert waiting(session) == []


def test_a_deleted_group_is_nobody_until_it_is_restored(sessions: Sessions, record: FileRecord) -> None:
    with sessions.begin() as session:
        group = create_team(session, Group, {"name": "Lab A"})
        delete_team(session, Group, group.id)
        assign_access(session, {record.id: [NamedGrantee(GranteeType.GROUP, "lab a")]})
        assert (granted(session), waiting(session)) == ([], ["lab a"])
        restore_team(session, Group, group.id)
        assert (granted(session), waiting(session)) == ([group.id], [])


def test_an_address_stands_for_its_user_only_once_it_is_verified(sessions: Sessions, record: FileRecord) -> None:
    with sessions.begin() as session:
        user = create_user(session, {"email": "user_a@test.org", "password": "password of the test"})
        assign_access(session, {record.id: [NamedGrantee(GranteeType.USER, "user_a@test.org")]})
        assert (granted(session), waiting(session)) == ([], ["user_a@test.org"])
        update_user(session, user.id, {"is_verified": True})
        assert (granted(session), waiting(session)) == ([user.id], [])


def test_a_verified_user_whom_an_admin_enters_gets_what_waits(sessions: Sessions, record: FileRecord) -> None:
    with sessions.begin() as session:
        assign_access(session, {record.id: [NamedGrantee(GranteeType.USER, "user_a@test.org")]})
        values = {"email": "User_A@test.org", "password": "password of the test", "is_verified": True}
        user = create_user(session, values)
        assert (granted(session), waiting(session)) == ([user.id], [])
