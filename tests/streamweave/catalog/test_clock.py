"""The database's clock, asked seldom, and right whatever this machine's clock shows."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from streamweave.catalog.leases import DatabaseClock
from streamweave.catalog.session import Sessions, catalog_engine, catalog_sessions

NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")


class Monotonic:
    """A monotonic clock that we move."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Database:
    """Plays a database with a clock of its own, whose answers take time."""

    def __init__(self, monotonic: Monotonic) -> None:
        self.monotonic = monotonic
        self.time_at_zero = NOON - timedelta(seconds=1000)
        self.there, self.back = 0.0, 0.0
        self.questions = 0
        self.is_down = False

    def __call__(self) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def scalars(self, _: object) -> Any:
        if self.is_down:
            raise OperationalError("select", None, Exception("the server is gone"))
        self.questions += 1
        self.monotonic.seconds += self.there
        time = self.time
        self.monotonic.seconds += self.back
        self.one = lambda: time
        return self

    @property
    def time(self) -> datetime:
        return self.time_at_zero + timedelta(seconds=self.monotonic.seconds)


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def database(monotonic: Monotonic) -> Database:
    return Database(monotonic)


@pytest.fixture
def clock(database: Any, monotonic: Monotonic) -> DatabaseClock:
    return DatabaseClock(database, monotonic)


def test_it_lies_between_two_answers_of_the_database(sessions: Sessions) -> None:
    clock = DatabaseClock(sessions)
    with sessions() as session:
        before = session.scalars(select(func.clock_timestamp())).one()
        now = clock()
        after = session.scalars(select(func.clock_timestamp())).one()
    assert before <= now <= after


def test_the_database_is_asked_once_a_second_at_most(
    clock: DatabaseClock, database: Database, monotonic: Monotonic
) -> None:
    for _ in range(100):
        assert clock() == database.time
        monotonic.seconds += 0.03
    assert database.questions == 3


def test_a_slow_answer_moves_it_neither_ahead_nor_back(
    clock: DatabaseClock, database: Database, monotonic: Monotonic
) -> None:
    clock()
    monotonic.seconds += 2
    database.there, database.back = 1.0, 3.0
    assert clock() == database.time


def test_a_first_answer_that_was_slow_is_behind_until_a_faster_one(
    clock: DatabaseClock, database: Database, monotonic: Monotonic
) -> None:
    database.back = 0.5
    assert clock() == database.time - timedelta(seconds=0.5)
    monotonic.seconds += 2
    database.back = 0
    assert clock() == database.time


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_it_follows_a_database_whose_clock_was_set(
    clock: DatabaseClock, database: Database, monotonic: Monotonic, step: timedelta
) -> None:
    clock()
    database.time_at_zero += step
    monotonic.seconds += 2
    assert clock() == database.time


def test_it_goes_on_while_the_database_is_down(clock: DatabaseClock, database: Database, monotonic: Monotonic) -> None:
    clock()
    database.is_down = True
    monotonic.seconds += 20
    assert clock() == database.time


def test_it_knows_no_time_before_the_first_answer() -> None:
    engine = catalog_engine("postgresql://streamweave:secret@127.0.0.1:1/streamweave")
    with pytest.raises(OperationalError):
        DatabaseClock(catalog_sessions(engine))()
    engine.dispose()
