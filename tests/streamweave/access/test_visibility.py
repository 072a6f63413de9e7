"""The rule that decides who sees what, held against a model that knows nothing of SQL."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.first_visible import first_covered
from streamweave.access.grantees import COLUMNS
from streamweave.access.openings import openings_of
from streamweave.access.visibility import covered_one_by_one, few_covered, visible_files
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileGrant,
    FileRecord,
    GranteeType,
    Group,
    GroupMember,
    InstrumentGrant,
    Project,
    ProjectMember,
    Role,
    User,
)
from streamweave.deletion import mark_deleted
from streamweave.pages import Order, PageRequest, page_of

SOME = range(3)
PATHS = [
    "share/a/x.csv",
    "share/a/b/x.csv",
    "share/ab/x.csv",
    "share/a%/x.csv",
    "share/a_/x.csv",
    "share/A/x.csv",
    "share/a.csv",
    "share/a0/x.csv",
    "share/ä/x.csv",
    "share/a",
]
PREFIXES = ["", "share", "share/a", "share/a/b", "share/a%", "share/a_", "share/ä", "share/a.csv", "shar", "other"]
Grantees = tuple[GranteeType, int]

numbers = st.sampled_from(SOME)
grantees = st.tuples(st.sampled_from(GranteeType), numbers)
files = st.tuples(numbers, st.sampled_from(range(len(PATHS))))


@dataclass
class World:
    """Who belongs to what and what is granted: users, groups, projects and instruments are numbers."""

    owners: dict[tuple[int, int], int] = field(default_factory=dict)
    group_members: set[tuple[int, int]] = field(default_factory=set)
    project_members: set[tuple[int, tuple[str, int]]] = field(default_factory=set)
    file_grants: set[tuple[tuple[int, int], Grantees]] = field(default_factory=set)
    instrument_grants: set[tuple[int, str, Grantees]] = field(default_factory=set)
    deleted: set[tuple[str, int]] = field(default_factory=set)

    def sees(self, user: int, file: tuple[int, int]) -> bool:
        me = {(GranteeType.USER, user)}
        groups = {
            (GranteeType.GROUP, g) for g, u in self.group_members if u == user and ("group", g) not in self.deleted
        }
        projects = {
            (GranteeType.PROJECT, p)
            for p, (kind, number) in self.project_members
            if (GranteeType(kind), number) in me | groups and ("project", p) not in self.deleted
        }
        mine = me | groups | projects
        if self.owners.get(file) == user or any(f == file and g in mine for f, g in self.file_grants):
            return True
        parts = PATHS[file[1]].split("/")
        return any(
            instrument == file[0]
            and grantee in mine
            and parts[: len(wanted := prefix.split("/") if prefix else [])] == wanted
            for instrument, prefix, grantee in self.instrument_grants
        )


worlds = st.builds(
    World,
    owners=st.dictionaries(files, numbers, max_size=4),
    group_members=st.sets(st.tuples(numbers, numbers), max_size=4),
    project_members=st.sets(st.tuples(numbers, st.tuples(st.sampled_from(["user", "group"]), numbers)), max_size=4),
    file_grants=st.sets(st.tuples(files, grantees), max_size=6),
    instrument_grants=st.sets(st.tuples(numbers, st.sampled_from(PREFIXES), grantees), max_size=5),
    deleted=st.sets(st.tuples(st.sampled_from(["group", "project"]), numbers), max_size=2),
)


def in_pages(session: Session, viewer: User) -> list[Any]:
    """What the viewer sees, page by page, as ``first_covered`` finds it; all files were discovered at the same time."""
    order, seen, cursor, more = Order(FileRecord.first_discovered_at, FileRecord.id, newest_first=True), [], None, True
    while more:
        request = PageRequest(limit=4, cursor=cursor)
        page = page_of(
            session,
            select(FileRecord),
            order,
            request,
            narrowed=partial(first_covered, openings_of(session, viewer), select(FileRecord)),
        )
        seen += [record.id for record in page.rows]
        cursor, more = page.next_cursor, page.next_cursor is not None
    return seen


def one_by_one(session: Session, viewer: User) -> set[Any]:
    """What the viewer sees, when each file is asked for itself."""
    return set(session.scalars(select(FileRecord.id).where(covered_one_by_one(openings_of(session, viewer)))))


def seen_by(session: Session, viewer: User) -> set[Any]:
    return set(session.scalars(select(FileRecord.id).where(visible_files(session, viewer))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds)
def test_everybody_sees_exactly_what_the_rule_opens_to_them(
    sessions: Sessions,
    add_user: Callable[..., User],
    add_instrument: Callable[..., Any],
    add_record: Callable[..., FileRecord],
    world: World,
) -> None:
    with sessions() as session:
        users = [add_user(session, f"user{number}@test.org") for number in SOME]
        groups = [Group(name=f"group {number}") for number in SOME]
        projects = [Project(name=f"project {number}") for number in SOME]
        session.add_all([*groups, *projects])
        session.flush()
        rows: dict[str, list[Any]] = {"user": users, "group": groups, "project": projects}
        instruments = [add_instrument(session, f"instrument_{number}") for number in SOME]
        records = {
            (number, path): add_record(session, instrument, PATHS[path], users[owner] if owner is not None else None)
            for number, instrument in enumerate(instruments)
            for path in range(len(PATHS))
            for owner in [world.owners.get((number, path))]
        }

        def to(grantee: Grantees) -> dict[str, Any]:
            return {COLUMNS[grantee[0]]: rows[grantee[0]][grantee[1]].id}

        session.add_all(GroupMember(group_id=groups[g].id, user_id=users[u].id) for g, u in world.group_members)
        session.add_all(
            ProjectMember(project_id=projects[p].id, **{f"{kind}_id": rows[kind][number].id})
            for p, (kind, number) in world.project_members
        )
        session.add_all(
            FileGrant(file_id=records[file].id, discovered_at=records[file].first_discovered_at, **to(grantee))
            for file, grantee in world.file_grants
        )
        session.add_all(
            InstrumentGrant(instrument_id=instruments[number].id, path_prefix=prefix, **to(grantee))
            for number, prefix, grantee in world.instrument_grants
        )
        session.flush()
        mark_deleted(session, [rows[kind][number] for kind, number in world.deleted])
        for number, user in enumerate(users):
            expected = {record.id for file, record in records.items() if world.sees(number, file)}
            assert seen_by(session, user) == expected
            assert in_pages(session, user) == sorted(expected, reverse=True)
            assert one_by_one(session, user) == expected
            assert set(few_covered(session, openings_of(session, user)) or ()) == expected
            for record in records.values():
                one = select(FileRecord.id).where(FileRecord.id == record.id, visible_files(session, user))
                assert (session.scalar(one) is not None) == (record.id in expected)
        session.rollback()


@pytest.mark.parametrize(("role", "seen"), [(Role.ADMIN, 1), (Role.USER, 0)])
def test_files_are_private_to_all_but_admins(
    sessions: Sessions,
    add_user: Callable[..., User],
    add_instrument: Callable[..., Any],
    add_record: Callable[..., FileRecord],
    role: Role,
    seen: int,
) -> None:
    with sessions.begin() as session:
        add_record(session, add_instrument(session, "microscope"), "share/scan_01.csv")
        assert len(seen_by(session, add_user(session, "viewer@test.org", role=role))) == seen
