"""A background thread works in order, one step at a time, and nothing that fails goes unnoticed."""

from threading import Event, Timer, get_ident

import pytest

from streamweave.harvest.background_thread import BackgroundThread

SECONDS = 30


def fail() -> None:
    raise ValueError("the disk is full")


def test_what_is_handed_over_is_written_in_order_in_another_thread() -> None:
    written: list[int] = []
    threads: set[int] = set()

    def write(number: int) -> None:
        threads.add(get_ident())
        written.append(number)

    with BackgroundThread("test") as thread:
        for number in range(100):
            thread.do(lambda number=number: write(number))  # type: ignore[misc] # a default binds it
    assert written == list(range(100))
    assert len(threads) == 1
    assert get_ident() not in threads


def test_the_caller_goes_on_while_one_thing_is_written() -> None:
    went_on = Event()
    seen: list[bool] = []
    with BackgroundThread("test") as thread:
        thread.do(lambda: seen.append(went_on.wait(SECONDS)))
        went_on.set()
    assert seen == [True]


def test_after_a_failed_write_none_begins() -> None:
    written: list[str] = []

    def go_on_after_a_failure() -> None:
        with BackgroundThread("test") as thread:
            thread.do(fail)
            thread.do(lambda: written.append("later"))

    with pytest.raises(ValueError, match="the disk is full"):
        go_on_after_a_failure()
    assert not written


def test_the_last_write_does_not_fail_unnoticed() -> None:
    with pytest.raises(ValueError, match="the disk is full"), BackgroundThread("test") as thread:
        thread.do(fail)


def test_a_block_that_fails_leaves_nothing_under_way() -> None:
    may_end, written = Event(), Event()

    def write() -> None:
        may_end.wait(SECONDS)
        written.set()

    def seek_in_vain() -> None:
        with BackgroundThread("test") as thread:
            thread.do(write)
            may_end.set()
            raise LookupError("the share is gone")

    with pytest.raises(LookupError, match="the share is gone"):
        seek_in_vain()
    assert written.is_set()


def test_a_block_that_fails_drops_what_has_not_begun_if_asked_to() -> None:
    begun, may_end = Event(), Event()
    done: list[str] = []

    def work() -> None:
        begun.set()
        may_end.wait(SECONDS)
        done.append("first")

    def fail_with_one_step_waiting() -> None:
        with BackgroundThread("test", ahead=2, drop_on_error=True) as thread:
            thread.do(work)
            thread.do(lambda: done.append("second"))
            begun.wait(SECONDS)
            Timer(0.1, may_end.set).start()
            raise LookupError("the share is gone")

    with pytest.raises(LookupError, match="the share is gone"):
        fail_with_one_step_waiting()
    assert done == ["first"]
