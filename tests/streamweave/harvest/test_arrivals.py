"""Batches are taken in beside the copying, one after the other."""

import threading
from functools import partial
from typing import Any

import pytest

from streamweave.catalog.bulk import batches
from streamweave.catalog.tables import VersionState
from streamweave.errors import StorageUnavailable
from streamweave.harvest import transfer
from streamweave.harvest.background_writer import background_writer
from streamweave.harvest.commit_batch import CommitQueue, Committed
from streamweave.harvest.version_state import Failed

A_BATCH: Any = ["one", "two"]


def taken_in(finished: Any) -> Committed:
    results: Any = [Failed(each, StorageUnavailable("full")) for each in finished]
    return Committed(results, results, [])


def test_a_batch_is_under_way_until_it_has_been_told_of() -> None:
    begin = threading.Event()

    def take_in(finished: Any) -> Committed:
        begin.wait(10)
        return taken_in(finished)

    with background_writer() as behind:
        arrivals = CommitQueue(behind, take_in)
        arrivals.hand_over(A_BATCH)
        assert list(arrivals.news()) == []
        assert arrivals.under_way == 2
        begin.set()
        arrivals.wait()
        assert arrivals.under_way == 2
        assert [len(arrived.results) for arrived in arrivals.news()] == [2]
        assert arrivals.under_way == 0


def test_what_a_batch_raised_is_raised_before_the_next_begins() -> None:
    begun: list[Any] = []

    def take_in(finished: Any) -> Committed:
        begun.append(finished)
        raise ConnectionError("the catalog is gone")

    def hand_over_two() -> None:
        with background_writer() as behind:
            arrivals = CommitQueue(behind, take_in)
            arrivals.hand_over(A_BATCH)
            arrivals.hand_over(["three"])

    with pytest.raises(ConnectionError):
        hand_over_two()
    assert begun == [A_BATCH]


def test_much_that_has_gathered_is_taken_in_in_pieces(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    take_in = transfer.take_in

    def noted(facility: Any, instrument: Any, run_id: Any, finished: Any, *where: Any) -> Committed:
        pieces.append(len(finished))
        return take_in(facility, instrument, run_id, finished, *where)

    monkeypatch.setattr(transfer, "take_in", noted)
    monkeypatch.setattr(transfer, "batches", partial(batches, size=7))
    for number in range(30):
        bench.write(f"microscope/{number}.csv", b"%d" % number)
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    assert sum(pieces) == 30
    assert max(pieces) == 7
