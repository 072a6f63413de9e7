"""The rule that decides who sees what, held against a model that knows nothing of SQL."""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.access.grants import COLUMNS
from streamweave.access.visibility import access_scope_of, covered_one_by_one, few_covered, visible_files
from streamweave.catalog.deletion import mark_deleted
from streamweave.catalog.pages import PageRequest
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileGrant,
    FileRecord,
    FileVersion,
    GranteeType,
    Group,
    GroupMember,
    InstrumentGrant,
    Project,
    ProjectMember,
    Role,
    User,
    VersionState,
)
from streamweave.files import listing
from streamweave.files.listing import NEWEST_FIRST, Sort
from streamweave.files.queries import files
from streamweave.files.selection import EVERYTHING, Selection

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
STATES = (VersionState.SETTLED, VersionState.SKIPPED)
WORLDS = int(os.environ.get("RANDOM_WORLDS", 40))
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
paths = st.tuples(numbers, st.sampled_from(range(len(PATHS))))


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
    owners=st.dictionaries(paths, numbers, max_size=4),
    group_members=st.sets(st.tuples(numbers, numbers), max_size=4),
    project_members=st.sets(st.tuples(numbers, st.tuples(st.sampled_from(["user", "group"]), numbers)), max_size=4),
    file_grants=st.sets(st.tuples(paths, grantees), max_size=6),
    instrument_grants=st.sets(st.tuples(numbers, st.sampled_from(PREFIXES), grantees), max_size=5),
    deleted=st.sets(st.tuples(st.sampled_from(["group", "project"]), numbers), max_size=2),
)


@pytest.fixture(autouse=True)
def lists_in_which_three_files_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that a list of some files ends its stretches, and goes on without them."""
    for most in ("JOINED", "LOOKED_UP", "ACQUIRED", "FEW"):
        monkeypatch.setattr(listing, most, 3)
    listing.plan_of.cache_clear()
    yield
    listing.plan_of.cache_clear()


def in_pages(session: Session, viewer: User, selection: Selection = EVERYTHING, sort: Sort = NEWEST_FIRST) -> list[Any]:
    """The ids of what the viewer is shown in lists, page by page."""
    page = files(session, viewer, PageRequest(limit=4), selection, sort)
    seen = [file.id for file in page.rows]
    while page.next_cursor is not None:
        page = files(session, viewer, PageRequest(limit=4, cursor=page.next_cursor), selection, sort)
        seen += [file.id for file in page.rows]
    return seen


@dataclass(frozen=True)
class Asked:
    """Filters, what they mean, and an order with what it means."""

    filters: dict[str, Any]
    passes: Callable[[FileRecord, VersionState], bool]
    sort: Sort = NEWEST_FIRST
    key: Callable[[FileRecord], Any] = lambda record: record.first_discovered_at

    def of(self, records: Iterable[FileRecord], states: Mapping[uuid.UUID, VersionState]) -> list[uuid.UUID]:
        """The ids of those that pass, in order."""
        passing = (record for record in records if self.passes(record, states[record.id]))
        ordered = sorted(passing, key=lambda record: (self.key(record), record.id), reverse=self.sort.startswith("-"))
        return [record.id for record in ordered]


LATE = NOON + timedelta(minutes=2)
ASKED = [
    Asked({}, lambda *_: True),
    Asked({}, lambda *_: True, "first_discovered_at"),
    Asked({}, lambda *_: True, "-size_bytes", lambda record: record.size_bytes),
    # closed by a slash, as the index has it
    Asked({"min_size": 2}, lambda r, _: r.size_bytes >= 2, "source_path", lambda r: f"{r.source_path}/".encode()),
    Asked({"min_size": 2}, lambda record, _: record.size_bytes >= 2),
    Asked({"max_size": 2, "extension": "csv"}, lambda r, _: r.size_bytes <= 2 and r.source_path.endswith(".csv")),
    Asked({"state": VersionState.SKIPPED}, lambda _, state: state == VersionState.SKIPPED),
    Asked(
        {"state": VersionState.SKIPPED, "min_size": 2},
        lambda record, state: state == VersionState.SKIPPED and record.size_bytes >= 2,
    ),
    Asked({"extension": "csv"}, lambda record, _: record.source_path.endswith(".csv")),
    Asked({"acquired_from": LATE}, lambda record, _: record.source_mtime >= LATE),
    Asked({"acquired_to": LATE, "min_size": 1}, lambda r, _: r.source_mtime < LATE and r.size_bytes >= 1),
    Asked({"metadata": (("sample", "iron"),)}, lambda record, _: record.metadata_ == {"sample": "iron"}),
    Asked({"search": "csv"}, lambda record, _: record.source_path.endswith("csv")),
]


def add_version(session: Session, record: FileRecord, state: VersionState, number: int) -> VersionState:
    """The newest version of a file, which gets a size, an acquisition time and metadata of its own."""
    record.size_bytes, record.source_mtime = number, NOON + timedelta(minutes=number)
    record.metadata_ = {"sample": ("iron", "cobalt")[number % 2]}
    session.add(
        FileVersion(
            file_id=record.id,
            instrument_id=record.instrument_id,
            number=1,
            size_bytes=number,
            source_mtime=record.source_mtime,
            acquisition_day=NOON.date(),
            state=state,
            state_since=NOON,
            discovered_at=NOON,
            unchanged_since=NOON,
            observed_at=NOON,
        )
    )
    session.flush()
    return state


def one_by_one(session: Session, viewer: User) -> set[Any]:
    """What the viewer sees, when each file is asked for itself."""
    scope = access_scope_of(session, viewer)
    walked, few = (covered_one_by_one(scope.kinds, few=few) for few in (False, True))
    found = set(session.scalars(select(FileRecord.id).where(walked), scope.values))
    assert set(session.scalars(select(FileRecord.id).where(few), scope.values)) == found
    return found


def seen_by(session: Session, viewer: User) -> set[Any]:
    return set(session.scalars(select(FileRecord.id).where(visible_files(session, viewer))))


@settings(max_examples=WORLDS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds, chance=st.integers(0, 2**32), asked=st.sampled_from(ASKED))
def test_everybody_sees_exactly_what_the_rule_opens_to_them(
    sessions: Sessions,
    add_user: Callable[..., User],
    add_instrument: Callable[..., Any],
    add_record: Callable[..., FileRecord],
    world: World,
    chance: int,
    asked: Asked,
) -> None:
    random = Random(chance)
    with sessions() as session:
        users = [add_user(session, f"user{number}@test.org") for number in SOME]
        groups = [Group(name=f"group {number}") for number in SOME]
        projects = [Project(name=f"project {number}") for number in SOME]
        session.add_all([*groups, *projects])
        session.flush()
        rows: dict[str, list[Any]] = {"user": users, "group": groups, "project": projects}
        instruments = [add_instrument(session, f"instrument_{number}") for number in SOME]
        records = {
            (number, path): add_record(
                session, instrument, PATHS[path], users[owner] if owner is not None else None, random.randrange(4)
            )
            for number, instrument in enumerate(instruments)
            for path in range(len(PATHS))
            for owner in [world.owners.get((number, path))]
        }
        states = {
            record.id: add_version(session, record, random.choice(STATES), random.randrange(4))
            for record in records.values()
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
            seen = [record for file, record in records.items() if world.sees(number, file)]
            expected = {record.id for record in seen}
            assert seen_by(session, user) == expected
            assert in_pages(session, user) == ASKED[0].of(seen, states)
            for instrument_id in (None, *(instrument.id for instrument in instruments[:1])):
                selection = Selection(**asked.filters, instrument_id=instrument_id)
                there = [record for record in seen if instrument_id in (None, record.instrument_id)]
                assert in_pages(session, user, selection, asked.sort) == asked.of(there, states)
            assert one_by_one(session, user) == expected
            assert set(few_covered(session, access_scope_of(session, user)) or ()) == expected
            for record in random.sample(list(records.values()), 5):
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
