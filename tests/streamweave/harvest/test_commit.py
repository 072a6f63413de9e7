"""What gathers while a batch is committed is committed in pieces."""

from functools import partial
from typing import Any

import pytest

from streamweave.catalog.bulk import batches
from streamweave.catalog.tables import VersionState
from streamweave.harvest import transfer
from streamweave.harvest.commit import Committed


def test_much_that_has_gathered_is_committed_in_pieces(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    commit_batch = transfer.commit_batch

    def noted(facility: Any, instrument: Any, run_id: Any, finished: Any, *where: Any) -> Committed:
        pieces.append(len(finished))
        return commit_batch(facility, instrument, run_id, finished, *where)

    monkeypatch.setattr(transfer, "commit_batch", noted)
    monkeypatch.setattr(transfer, "batches", partial(batches, size=7))
    for number in range(30):
        bench.write(f"microscope/{number}.csv", b"%d" % number)
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}
    assert sum(pieces) == 30
    assert max(pieces) == 7
