"""Writing behind: in order, one at a time, and nothing that fails goes unnoticed."""

from threading import Event, get_ident

import pytest

from streamweave.harvest.background_writer import background_writer

SECONDS = 30


def fail() -> None:
    raise ValueError("the disk is full")


def test_what_is_handed_over_is_written_in_order_in_another_thread() -> None:
    written: list[int] = []
    threads: set[int] = set()

    def write(number: int) -> None:
        threads.add(get_ident())
        written.append(number)

    with background_writer() as behind:
        for number in range(100):
            behind.hand_over(lambda number=number: write(number))  # type: ignore[misc] # a default binds it
    assert written == list(range(100))
    assert len(threads) == 1
    assert get_ident() not in threads


def test_the_caller_goes_on_while_one_thing_is_written() -> None:
    went_on = Event()
    seen: list[bool] = []
    with background_writer() as behind:
        behind.hand_over(lambda: seen.append(went_on.wait(SECONDS)))
        went_on.set()
    assert seen == [True]


def test_after_a_failed_write_none_begins() -> None:
    written: list[str] = []

    def go_on_after_a_failure() -> None:
        with background_writer() as behind:
            behind.hand_over(fail)
            behind.hand_over(lambda: written.append("later"))

    with pytest.raises(ValueError, match="the disk is full"):
        go_on_after_a_failure()
    assert not written


def test_the_last_write_does_not_fail_unnoticed() -> None:
    with pytest.raises(ValueError, match="the disk is full"), background_writer() as behind:
        behind.hand_over(fail)


def test_a_block_that_fails_leaves_nothing_under_way() -> None:
    may_end, written = Event(), Event()

    def write() -> None:
        may_end.wait(SECONDS)
        written.set()

    def seek_in_vain() -> None:
        with background_writer() as behind:
            behind.hand_over(write)
            may_end.set()
            raise LookupError("the share is gone")

    with pytest.raises(LookupError, match="the share is gone"):
        seek_in_vain()
    assert written.is_set()
