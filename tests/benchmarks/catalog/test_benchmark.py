"""The benchmark of the catalog still runs, and asks for what is there."""

import json
from pathlib import Path

import psycopg
import pytest

from benchmarks.catalog.benchmark import LOGIN, Wishes, run
from benchmarks.catalog.filling import fill
from benchmarks.catalog.people import FOLDERS, MANY, MANY_SHARE, NOBODY, ONE, file_grants, openings
from benchmarks.catalog.questions import questions
from benchmarks.catalog.report import as_json, as_markdown
from benchmarks.catalog.world import World, identity
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import User
from streamweave.files.queries import count_of_files

SMALL = World(2_000)


def test_a_small_catalog_is_filled_served_and_asked_everything() -> None:
    (measured,) = run([400], Wishes(requests=1, huge_bytes=1024 * 1024), say=lambda _: None)

    assert set(measured.times) == {LOGIN, *(question.name for question in questions(World(400)))}
    assert measured.hauled is not None
    assert measured.hauled.bytes > 1024 * 1024
    assert json.loads(as_json([measured]))[0]["files"] == 400
    assert "first page, admin" in as_markdown([measured])


def test_the_same_facility_comes_out_each_time() -> None:
    assert list(World(100).all_files()) == list(World(100).all_files())
    assert list(file_grants(SMALL)) == list(file_grants(SMALL))
    assert openings(SMALL) == openings(SMALL)


@pytest.fixture
def filled(database_url: str, tmp_path: Path) -> None:
    fill(database_url, SMALL, str(tmp_path), "a password of the test")


@pytest.mark.usefixtures("filled")
def test_the_viewers_see_what_the_benchmark_says(database_url: str, sessions: Sessions) -> None:
    with sessions() as session:
        sees = {
            number: count_of_files(session, session.get_one(User, identity("user", number)))
            for number in (MANY, FOLDERS, ONE, NOBODY)
        }
    assert (sees[MANY], sees[ONE], sees[NOBODY]) == (SMALL.files * MANY_SHARE, 1, 0)
    assert sees[FOLDERS] > 0
    with psycopg.connect(database_url) as connection:
        wrong = (
            "SELECT FROM file_grants JOIN file_records r ON r.id = file_id WHERE first_discovered_at <> discovered_at"
        )
        assert connection.execute(wrong).fetchone() is None
