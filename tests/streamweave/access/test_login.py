"""Logging in, and what limits it, over a real catalog."""

import threading
from datetime import timedelta
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from streamweave.access.login import Attempt, LoginLimits, counted_attempt, counted_request, log_in, network_of
from streamweave.access.tokens import sweep
from streamweave.access.users import create_user
from streamweave.catalog.session import Sessions
from streamweave.catalog.tables import KnownAddress, LoginCount, User
from streamweave.errors import NotAuthenticated, TooBusy, TooManyAttempts

EMAIL = "researcher@test.org"
PASSWORD = "testpassword123"
DESK, ELSEWHERE = "192.0.2.1", "198.51.100.1"
LIMITS = LoginLimits(attempts=3, attempts_per_account=4, attempts_per_address=5)


@pytest.fixture
def user(sessions: Sessions) -> User:
    with sessions.begin() as session:
        return create_user(session, {"email": EMAIL, "password": PASSWORD})


def fail(sessions: Sessions, email: str, address: str) -> None:
    with pytest.raises(NotAuthenticated):
        log_in(sessions, LIMITS, Attempt(email, address), "wrong")


def locked(sessions: Sessions, email: str, address: str) -> int:
    """After how many seconds to come back."""
    with pytest.raises(TooManyAttempts) as refused:
        log_in(sessions, LIMITS, Attempt(email, address), PASSWORD)
    return refused.value.retry_after_seconds


def let_time_pass(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(update(LoginCount).values(ends_at=func.now() - timedelta(seconds=1)))


def test_a_user_is_recognised_by_address_and_password(sessions: Sessions, user: User) -> None:
    assert log_in(sessions, LIMITS, Attempt(EMAIL.upper(), DESK), PASSWORD).id == user.id
    for email, password in [(EMAIL, "wrong"), ("stranger@test.org", PASSWORD), ("", "")]:
        with pytest.raises(NotAuthenticated):
            log_in(sessions, LIMITS, Attempt(email, DESK), password)


def test_a_user_who_is_switched_off_does_not_come_in(sessions: Sessions, user: User) -> None:
    with sessions.begin() as session:
        session.execute(update(User).values(is_active=False))
    with pytest.raises(NotAuthenticated):
        log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD)


def test_too_many_failures_lock_for_a_while_and_the_right_password_does_not_help(
    sessions: Sessions, user: User
) -> None:
    for _ in range(LIMITS.attempts):
        fail(sessions, EMAIL, DESK)
    assert LIMITS.lock_seconds - 60 < locked(sessions, EMAIL.upper(), DESK) <= LIMITS.lock_seconds
    let_time_pass(sessions)
    assert log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD).id == user.id


def test_a_stranger_is_locked_out_like_a_user(sessions: Sessions) -> None:
    for _ in range(LIMITS.attempts):
        fail(sessions, "stranger@test.org", DESK)
    assert locked(sessions, "stranger@test.org", DESK) > 0


def test_a_lock_is_not_prolonged_by_knocking(sessions: Sessions, user: User) -> None:
    for _ in range(LIMITS.attempts):
        fail(sessions, EMAIL, DESK)
    with sessions() as session:
        before = {row.key: row.ends_at for row in session.scalars(select(LoginCount))}
    for _ in range(5):
        locked(sessions, EMAIL, DESK)
    with sessions() as session:
        assert {row.key: row.ends_at for row in session.scalars(select(LoginCount))} == before


def test_a_success_starts_the_count_anew(sessions: Sessions, user: User) -> None:
    for _ in range(LIMITS.attempts_per_address):
        log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD)
    for _ in range(3):
        for _ in range(LIMITS.attempts - 2):
            fail(sessions, EMAIL, DESK)
        assert log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD).id == user.id


def test_one_address_can_not_try_account_after_account(sessions: Sessions, user: User) -> None:
    for number in range(LIMITS.attempts_per_address):
        fail(sessions, f"account{number}@test.org", DESK)
    assert locked(sessions, EMAIL, DESK) > 0
    assert log_in(sessions, LIMITS, Attempt(EMAIL, ELSEWHERE), PASSWORD).id == user.id


def test_an_account_of_ones_own_does_not_buy_further_attempts(sessions: Sessions, user: User) -> None:
    for number in range(LIMITS.attempts_per_address - 1):
        fail(sessions, f"account{number}@test.org", DESK)
        log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD)
    fail(sessions, "another@test.org", DESK)
    assert locked(sessions, EMAIL, DESK) > 0


def test_many_addresses_can_not_try_one_account_nor_lock_its_user_out_of_their_desk(
    sessions: Sessions, user: User
) -> None:
    log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD)
    for number in range(LIMITS.attempts_per_account):
        fail(sessions, EMAIL, f"203.0.113.{number}")
    assert locked(sessions, EMAIL, "203.0.113.99") > 0
    assert log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD).id == user.id


def test_attempts_at_the_same_time_are_counted_one_by_one(sessions: Sessions) -> None:
    outcomes: list[bool] = []
    start = threading.Barrier(8)

    def attempt() -> None:
        start.wait(30)
        try:
            with counted_attempt(sessions, LIMITS, Attempt(EMAIL, DESK)):
                outcomes.append(True)
        except TooManyAttempts:
            outcomes.append(False)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == [False] * (8 - LIMITS.attempts) + [True] * LIMITS.attempts


def test_an_attempt_that_nobody_looked_at_does_not_count(sessions: Sessions, user: User) -> None:
    for _ in range(2 * LIMITS.attempts_per_address):
        with pytest.raises(TooBusy), counted_attempt(sessions, LIMITS, Attempt(EMAIL, DESK)):
            raise TooBusy(2)
    assert log_in(sessions, LIMITS, Attempt(EMAIL, DESK), PASSWORD).id == user.id


def test_requests_of_a_kind_are_counted_by_address_or_by_account(sessions: Sessions) -> None:
    def asked(kind: str, address: str, email: str | None = None) -> int:
        """How many are let through."""
        for number in range(10):
            try:
                with counted_request(sessions, LIMITS, kind, address, email):
                    pass
            except TooManyAttempts:
                return number
        return 10

    assert asked("reset", DESK) == LIMITS.attempts_per_address
    assert asked("mail", DESK) == asked("reset", ELSEWHERE) == LIMITS.attempts_per_address
    assert asked("reset", DESK, EMAIL) == LIMITS.attempts
    assert asked("reset", ELSEWHERE, EMAIL.upper()) == 0


def test_counts_that_have_ended_are_swept_and_tell_nothing_before(sessions: Sessions, user: User) -> None:
    fail(sessions, EMAIL, DESK)
    log_in(sessions, LIMITS, Attempt(EMAIL, ELSEWHERE), PASSWORD)
    with sessions() as session:
        rows = [repr(vars(row)) for table in (LoginCount, KnownAddress) for row in session.scalars(select(table))]
    assert rows
    assert not any(secret in row for row in rows for secret in (EMAIL, DESK, ELSEWHERE))
    let_time_pass(sessions)
    with sessions.begin() as session:
        sweep(session)
        assert session.scalars(select(LoginCount)).all() == []
        assert len(session.scalars(select(KnownAddress)).all()) == 1


@given(st.integers(2**120, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_a_network_of_ipv6_counts_as_one_address(address: int, host: int) -> None:
    neighbour = address >> 64 << 64 | host
    assert network_of(str(IPv6Address(address))) == network_of(str(IPv6Address(neighbour)))


def test_addresses_are_told_apart_however_they_are_written() -> None:
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("2001:db8::1") == network_of("2001:db8:0:0:ffff::") != network_of("2001:db8:0:1::1")
    assert network_of("") == ""
