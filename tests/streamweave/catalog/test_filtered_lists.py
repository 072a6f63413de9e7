"""Lists that were filtered: page by page the same as if everything had been looked at, wherever the walk ends."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from streamweave.access import visibility
from streamweave.catalog.pages import Page, PageRequest
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Instrument,
    Role,
    StorageLocation,
    Transfer,
    User,
    VersionState,
)
from streamweave.files import listing
from streamweave.files.queries import files, transfers
from streamweave.files.selection import Selection

NOON = datetime(2026, 2, 24, 12, tzinfo=UTC)
TIMES, SIZES, INSTRUMENTS = range(4), range(3), range(2)
STATES = (VersionState.SETTLED, VersionState.SKIPPED)
WITHOUT_WAITING = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

found = st.tuples(
    st.sampled_from(TIMES), st.sampled_from(SIZES), st.sampled_from(INSTRUMENTS), st.sampled_from(STATES), st.booleans()
)
worlds = st.lists(found, max_size=14)


@pytest.fixture(autouse=True)
def a_catalog_in_which_three_files_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(visibility, "FEW", 3)
    for most in ("WALKED", "JOINED", "LOOKED_UP", "ACQUIRED", "FEW"):
        monkeypatch.setattr(listing, most, 3)
    listing.plan_of.cache_clear()
    yield
    listing.plan_of.cache_clear()


def in_pages(ask: Callable[[PageRequest], Page[Any]]) -> list[Any]:
    """All rows, two at a time."""
    page = ask(PageRequest(limit=2))
    rows = list(page.rows)
    while page.next_cursor is not None:
        page = ask(PageRequest(limit=2, cursor=page.next_cursor))
        rows += page.rows
    return rows


def people(session: Session) -> list[User]:
    """An admin, and somebody who owns files."""
    users = [User(email=f"{role}@test.org", password_hash="none", role=role) for role in (Role.ADMIN, Role.USER)]
    session.add_all(users)
    session.flush()
    return users


def add_files(session: Session, owner: User, world: list[Any]) -> list[FileVersion]:
    """The files of ``world``, each with a transfer at the time of its discovery."""
    instruments = [
        Instrument(slug=f"i{number}", name=f"i{number}", cifs_host="host", cifs_share="s", archive_folder=f"i{number}")
        for number in INSTRUMENTS
    ]
    location = StorageLocation(name="archive", base_path="/archive")
    session.add_all([*instruments, location])
    session.flush()
    versions = []
    for number, (minutes, size, instrument, state, is_owned) in enumerate(world):
        at = NOON + timedelta(minutes=minutes)
        record = FileRecord(
            instrument_id=instruments[instrument].id,
            source_path=f"s/{number}.csv",
            folder="s",
            filename=f"{number}.csv",
            persistent_id=f"ark:/99999/fk4{uuid.uuid4().hex}",
            size_bytes=size,
            source_mtime=at,
            first_discovered_at=at,
            owner_id=owner.id if is_owned else None,
        )
        session.add(record)
        session.flush()
        common = {"file_id": record.id, "instrument_id": record.instrument_id}
        times = {"discovered_at": at + timedelta(days=number), "unchanged_since": at, "observed_at": at}
        version = FileVersion(
            **common,
            **times,
            number=1,
            size_bytes=size,
            source_mtime=at,
            acquisition_day=at.date(),
            state=state,
            state_since=at,
            file=record,
        )
        session.add(version)
        session.flush()
        session.add(Transfer(**common, version_id=version.id, storage_location_id=location.id, created_at=at))
        versions.append(version)
    session.flush()
    return versions


def newest_first(versions: list[FileVersion]) -> list[uuid.UUID]:
    ordered = sorted(versions, key=lambda version: (version.file.first_discovered_at, version.file_id), reverse=True)
    return [version.file_id for version in ordered]


@WITHOUT_WAITING
@given(
    world=worlds,
    size=st.sampled_from([None, *SIZES]),
    instrument=st.sampled_from([None, *INSTRUMENTS]),
    state=st.sampled_from([None, *STATES]),
)
def test_a_filtered_list_holds_all_that_pass_and_in_order(
    sessions: Sessions, world: list[Any], size: int | None, instrument: int | None, state: VersionState | None
) -> None:
    with sessions() as session:
        admin, owner = people(session)
        versions = add_files(session, owner, world)
        on = {version.instrument_id for version in versions if instrument == world[versions.index(version)][2]}
        instrument_id = None if instrument is None else next(iter(on), uuid.uuid4())
        selection = Selection(min_size=size, instrument_id=instrument_id, state=state)
        passing = [
            version
            for version in versions
            if (size is None or version.size_bytes >= size)
            and instrument_id in (None, version.instrument_id)
            and state in (None, version.state)
        ]
        for viewer, theirs in ((admin, passing), (owner, [v for v in passing if v.file.owner_id is not None])):
            pages = in_pages(partial(files, session, viewer, selection=selection))
            assert [file.id for file in pages] == newest_first(theirs)
        session.rollback()


@WITHOUT_WAITING
@given(world=worlds)
def test_the_transfers_of_what_somebody_sees_are_all_there_and_in_order(sessions: Sessions, world: list[Any]) -> None:
    with sessions() as session:
        admin, owner = people(session)
        versions = add_files(session, owner, world)
        for viewer, theirs in ((admin, versions), (owner, [v for v in versions if v.file.owner_id is not None])):
            pages = in_pages(partial(transfers, session, viewer))
            assert sorted(t.file_id for t in pages) == sorted(version.file_id for version in theirs)
            assert pages == sorted(pages, key=lambda t: (t.created_at, t.id), reverse=True)
        session.rollback()


def test_a_filter_by_a_project_that_is_not_there_finds_nothing(sessions: Sessions) -> None:
    with sessions() as session:
        viewer = people(session)[1]
        selection = Selection(project_id=uuid.uuid4(), state=VersionState.SKIPPED)
        assert files(session, viewer, PageRequest(), selection).rows == []
        session.rollback()
