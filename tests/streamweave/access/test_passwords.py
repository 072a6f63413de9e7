import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from streamweave.access.passwords import HashingQueue, hash_password, password_matches
from streamweave.errors import TooBusy

DEADLINE_SECONDS = 30


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = hash_password("adminpassword123")
    assert hashed.startswith("$argon2id$")
    assert password_matches("adminpassword123", hashed)
    assert not password_matches("adminpassword124", hashed)


def test_nobodys_password_matches_nothing() -> None:
    assert not password_matches("nobody", None)
    assert not password_matches("nobody", "not a hash")


def test_the_same_password_is_hashed_differently_each_time() -> None:
    assert hash_password("adminpassword123") != hash_password("adminpassword123")


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    """Threads that call side by side."""
    with ThreadPoolExecutor(20) as threads:
        yield threads


def test_whoever_finds_no_place_is_told_at_once_when_to_come_back(
    callers: ThreadPoolExecutor, until: Callable[..., None]
) -> None:
    queue, opened, begun = HashingQueue(at_once=2, waiting=3), threading.Event(), []

    def call() -> None:
        begun.append(threading.get_ident())
        assert opened.wait(DEADLINE_SECONDS)

    def state(future: Future[None]) -> str:
        return type(future.exception()).__name__ if future.done() else "waits"

    calls = [callers.submit(queue.run, call) for _ in range(9)]
    until(lambda: len(begun) == 2 and sum(each.done() for each in calls) == 4)
    assert sorted(map(state, calls)) == ["TooBusy"] * 4 + ["waits"] * 5
    with pytest.raises(TooBusy) as refused:
        queue.run(call)
    assert refused.value.retry_after_seconds > 0
    assert str(refused.value.retry_after_seconds) in str(refused.value)
    opened.set()
    assert sum(each.exception() is None for each in calls) == 5
    assert (len(begun), len(set(begun))) == (5, 2)


def test_who_came_first_has_their_turn_first(callers: ThreadPoolExecutor, until: Callable[..., None]) -> None:
    queue, opened, order = HashingQueue(at_once=1, waiting=5), threading.Event(), []
    arrived = []

    def call(number: int) -> Callable[[], None]:
        def run() -> None:
            assert opened.wait(DEADLINE_SECONDS)
            order.append(number)

        return run

    for number in range(6):
        arrived.append(callers.submit(queue.run, call(number)))
        until(lambda: queue.places_taken == len(arrived))
    opened.set()
    for each in arrived:
        each.result(DEADLINE_SECONDS)
    assert order == list(range(6))


def test_what_fails_gives_its_place_back() -> None:
    queue = HashingQueue(at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            queue.run(lambda: 1 // 0)
    assert queue.run(lambda: 7) == 7
    assert queue.places_taken == 0
