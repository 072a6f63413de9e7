"""What the workers hand over of what they have finished."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from fakes.memory_source import Laboratory
from fakes.memory_storage import MemoryStorage
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import BATCH_FILES, Copied
from streamweave.harvest.copy_workers import CopyWorkers
from streamweave.sources.base import Source

WRITTEN_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LOCATION = uuid.uuid4()


def claim_of(path: str, content: bytes) -> Claim:
    return Claim(
        transfer_id=uuid.uuid4(),
        claim_id=uuid.uuid4(),
        version_id=uuid.uuid4(),
        file_id=uuid.uuid4(),
        storage_location_id=LOCATION,
        source_path=path,
        size_bytes=len(content),
        mtime=WRITTEN_AT,
        day=date(2026, 3, 2),
        destination_path=path,
        attempt=1,
        failures=0,
        sha256=None,
    )


def workers_of(open_source: Callable[[], Source]) -> CopyWorkers:
    return CopyWorkers(2, open_source, {LOCATION: MemoryStorage()}, lambda claim, length: None, lambda: True)


def test_all_batches_that_are_finished_are_handed_over_at_once() -> None:
    laboratory = Laboratory()
    paths = [f"share/{number}.csv" for number in range(3 * BATCH_FILES)]
    for path in paths:
        laboratory.write(path, path.encode(), WRITTEN_AT)
    workers = workers_of(laboratory.source)
    workers.queue.add(claim_of(path, path.encode()) for path in paths)
    first = list(workers.finished(10))
    while workers.queue.waiting() != (0, 0):
        first += workers.finished(10)
    workers.close()
    rest = workers.finished(0)
    assert sorted(each.claim.source_path for each in (*first, *rest)) == sorted(paths)
    assert all(isinstance(each, Copied) for each in (*first, *rest))
    assert workers.finished(0) == []


def test_a_fault_of_our_own_ends_the_run() -> None:
    def open_source() -> Source:
        raise RuntimeError("nobody thought of this")

    workers = workers_of(open_source)
    workers.queue.add([claim_of("share/a.csv", b"1")])
    with pytest.raises(RuntimeError, match="nobody thought"):
        workers.finished(10)
    workers.close()
