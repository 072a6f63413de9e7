"""Leases over a real catalog: a run that lives keeps its own, one that is silent loses it, to one finder only."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from streamweave.catalog import leases
from streamweave.catalog.leases import run_lease, take_lost_leases
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import RunLease


def lost(sessions: Sessions, *running: str) -> set[str]:
    with sessions.begin() as session:
        return set(take_lost_leases(session, running))


def held(sessions: Sessions) -> set[str]:
    with sessions() as session:
        return set(session.scalars(select(RunLease.dagster_run_id)))


def fall_silent(sessions: Sessions, run_id: str, seconds: float) -> None:
    """As if the run's last beat, and the database's start, had been so long ago."""
    with sessions.begin() as session:
        ago = func.now() - timedelta(seconds=seconds)
        session.execute(update(RunLease).where(RunLease.dagster_run_id == run_id).values(heartbeat_at=ago))


@pytest.fixture
def short_lease(sessions: Sessions, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]) -> float:
    """A lease of a few seconds, and a database that has been up for longer."""
    seconds = 6.0
    monkeypatch.setattr(leases, "RUN_LEASE_SECONDS", seconds)

    def is_old_enough() -> bool:
        with sessions() as session:
            up = session.scalars(select(func.now() - func.pg_postmaster_start_time())).one()
        return bool(up > timedelta(seconds=seconds + 1))

    until(is_old_enough)
    return seconds


def test_a_run_holds_its_lease_from_its_beginning_to_its_end(sessions: Sessions) -> None:
    with run_lease(sessions, "run"):
        assert held(sessions) == {"run"}
        assert lost(sessions, "run") == set()
    assert held(sessions) == set()


def test_a_run_that_fails_lets_go_of_its_lease_too(sessions: Sessions) -> None:
    with pytest.raises(ZeroDivisionError), run_lease(sessions, "run"):
        _ = 1 / 0
    assert held(sessions) == set()


def test_a_run_that_lives_beats(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    monkeypatch.setattr(leases, "RUN_BEAT_SECONDS", 0.02)

    def has_beaten() -> bool:
        with sessions() as session:
            lease = session.scalars(select(RunLease)).one()
        return lease.heartbeat_at > lease.started_at

    with run_lease(sessions, "run"):
        until(has_beaten)
        assert held(sessions) == {"run"}


def test_a_silent_run_is_found_once_and_others_are_left_alone(sessions: Sessions, short_lease: float) -> None:
    with run_lease(sessions, "alive"), run_lease(sessions, "slow"), run_lease(sessions, "dead"):
        fall_silent(sessions, "slow", short_lease - 4)
        fall_silent(sessions, "dead", short_lease + 1)
        assert lost(sessions, "alive", "slow") == set()
        assert lost(sessions, "alive", "slow", "dead") == {"dead"}
        assert held(sessions) == {"alive", "slow"}


def test_a_run_that_never_took_its_lease_is_given_one_and_found_silent_later(
    sessions: Sessions, short_lease: float
) -> None:
    assert lost(sessions, "killed before its first step") == set()
    assert held(sessions) == {"killed before its first step"}
    fall_silent(sessions, "killed before its first step", short_lease + 1)
    assert lost(sessions, "killed before its first step") == {"killed before its first step"}


def test_nobody_is_blamed_for_having_been_silent_while_the_database_was_down(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sessions() as session:
        up = session.scalars(select(func.now() - func.pg_postmaster_start_time())).one()
    monkeypatch.setattr(leases, "RUN_LEASE_SECONDS", up.total_seconds() + 600)
    with run_lease(sessions, "run"):
        fall_silent(sessions, "run", up.total_seconds() + 3600)
        assert lost(sessions, "run") == set()


def test_leases_of_runs_that_ended_otherwise_are_dropped_after_a_day(sessions: Sessions) -> None:
    with run_lease(sessions, "failed by Dagster"), run_lease(sessions, "yesterday"):
        fall_silent(sessions, "failed by Dagster", 3600)
        fall_silent(sessions, "yesterday", 25 * 3600)
        assert lost(sessions, "another") == set()
        assert held(sessions) == {"failed by Dagster", "another"}
