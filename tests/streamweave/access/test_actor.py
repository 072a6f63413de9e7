import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ProgrammingError

from streamweave.access.audit import Actor, acting, audited
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import AuditEntry, Base, Group, GroupMember, Instrument, User

ADMIN = Actor(uuid.uuid4(), "admin@test.org")

NOT_AUDITED = {
    "alert_deliveries": "the evaluation of alerts makes and changes them, nobody else",
    "alert_watch": "the evaluation of alerts makes and changes it, nobody else",
    "audit_log": "it is the record",
    "certificates": "they are a record, and append-only",
    "file_transfers": "harvests make and change them, nobody else",
    "harvest_runs": "harvests make and change them, nobody else",
    "run_leases": "runs make and change them, nobody else",
    "fixity_checks": "sweeps make them, and nobody can change them",
    "fixity_sweeps": "sweeps make and change them, nobody else",
    "hook_retries": "harvests make and end them, nobody else",
    "hook_runs": "harvests make them, nobody else",
    "identifier_aliases": "readoptions make them, nobody else",
    "journal_positions": "harvests make and change them, nobody else",
    "known_addresses": "bookkeeping of logins",
    "login_counts": "bookkeeping of logins",
    "mailed_tokens": "bookkeeping of mails; what they are used for is audited",
    "notifications": "one's own mail",
    "readoptions": "they are a record of what was taken from journals",
    "revoked_tokens": "bookkeeping of logouts",
    "scans": "harvests make and change them, nobody else",
    "unfinished_looks": "harvests make and change them, nobody else",
}


@pytest.fixture
def audited_sessions(sessions: Sessions) -> Iterator[Sessions]:
    """Sessions in which an admin acts."""
    token = acting.set(ADMIN)
    yield audited(sessions)
    acting.reset(token)


def entries(sessions: Sessions) -> list[tuple[str, str, dict[str, Any]]]:
    with sessions() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.at))
        return [(entry.action, entry.entity_type, entry.changes) for entry in found]


def test_every_table_is_audited_or_has_a_reason_why_not(engine: Engine) -> None:
    with engine.connect() as connection:
        watched = set(connection.scalars(text("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'audit'")))
    assert watched | NOT_AUDITED.keys() == Base.metadata.tables.keys()
    assert watched.isdisjoint(NOT_AUDITED)


def test_statements_and_cascades_are_audited_like_objects(audited_sessions: Sessions) -> None:
    user = User(email="ada@test.org", password_hash="a hash")
    with audited_sessions.begin() as session:
        group = Group(name="Laboratory")
        session.add_all([user, group])
        session.flush()
        session.add(GroupMember(group_id=group.id, user_id=user.id))
    with audited_sessions.begin() as session:
        session.execute(update(Group).values(name="Lab A"))
        session.execute(delete(Group))
    done = entries(audited_sessions)
    assert sorted((action, kind) for action, kind, _ in done) == [
        ("create", "group_members"),
        ("create", "groups"),
        ("create", "users"),
        ("delete", "group_members"),
        ("delete", "groups"),
        ("update", "groups"),
    ]
    assert ("update", "groups", {"name": {"before": "Laboratory", "after": "Lab A"}}) in done


def test_secrets_are_masked(audited_sessions: Sessions) -> None:
    user = User(email="ada@test.org", password_hash="a hash")
    with audited_sessions.begin() as session:
        session.add(user)
    with audited_sessions.begin() as session:
        session.get_one(User, user.id).password_hash = "another hash"
    created, changed = entries(audited_sessions)
    assert created[2]["password_hash"] == {"before": None, "after": "***"}
    assert changed[2] == {"password_hash": {"before": "***", "after": "***"}}


def test_what_nobody_does_is_not_audited(sessions: Sessions) -> None:
    with audited(sessions).begin() as session:
        session.add(Instrument(slug="m", name="M", cifs_host="m", cifs_share="m", archive_folder="M"))
    assert entries(sessions) == []


def test_a_change_that_is_rolled_back_is_not_on_record(audited_sessions: Sessions) -> None:
    with audited_sessions() as session:
        session.add(Group(name="Laboratory"))
        session.flush()
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1
    assert entries(audited_sessions) == []


def test_an_actor_is_forgotten_with_the_transaction(audited_sessions: Sessions, engine: Engine) -> None:
    with audited_sessions.begin() as session:
        session.add(Group(name="Laboratory"))
    acting.set(None)
    with audited_sessions.begin() as session:
        session.add(Group(name="Another"))
    assert len(entries(audited_sessions)) == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'update'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_the_log_can_only_grow(audited_sessions: Sessions, engine: Engine, statement: str) -> None:
    with audited_sessions.begin() as session:
        session.add(Group(name="Laboratory"))
    with pytest.raises(ProgrammingError, match="the audit log is append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert len(entries(audited_sessions)) == 1
