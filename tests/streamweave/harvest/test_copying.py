"""Copies that overlap, over a share in memory that misbehaves while it is read."""

import threading
import tracemalloc
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from fakes.memory_source import Laboratory, MemorySource, OpenMemoryFile
from fakes.memory_storage import MemoryStorage
from streamweave.catalog.tables import VersionState
from streamweave.errors import CopyNotProven, FileChanged, SourceFileError, SourceUnreachable, StorageUnavailable
from streamweave.harvest import copy_verify
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import copy_proven, digest_of
from streamweave.harvest.copy_workers import LOSSES_IN_A_ROW
from streamweave.harvest.progress import HarvestReport
from streamweave.sources.base import WHOLE_FILE_BYTES, SourceFile, WholeFile

MTIME = datetime(2026, 3, 2, tzinfo=UTC)
LARGE = bytes(range(256)) * (3 * WHOLE_FILE_BYTES // 256)
DEADLINE_SECONDS = 30.0


@pytest.fixture
def laboratory() -> Laboratory:
    laboratory = Laboratory(chunk_bytes=1 << 18)
    laboratory.write("share/large.raw", LARGE, MTIME)
    return laboratory


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def claim() -> Any:
    return claim_on("share/large.raw", len(LARGE))


def claim_on(path: str, size_bytes: int) -> Any:
    identity: Any = "claim"
    return Claim(
        identity, identity, identity, identity, identity, path, size_bytes, MTIME, MTIME.date(), path, 1, 0, None
    )


def lose_connection_at(laboratory: Laboratory, *pieces: int) -> None:
    """Break the connection after these pieces, counted over all connections."""
    read = 0

    def count(path: str) -> None:
        nonlocal read
        read += 1
        if read in pieces:
            raise SourceUnreachable("the connection was lost")

    laboratory.while_reading = count


def test_a_large_file_is_read_back_while_it_is_written(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_verify, "SPAN_BYTES", 1 << 20)
    spans: list[tuple[int, int | None]] = []
    read_staged = storage.read_staged

    def watched(name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        spans.append((offset, length))
        return read_staged(name, offset, length)

    monkeypatch.setattr(storage, "read_staged", watched)
    digest = copy_proven(laboratory.source(), storage, claim)

    assert digest == digest_of([LARGE])
    assert storage.staged == {"claim": LARGE}
    assert len(spans) > 1, "it was read in spans"
    assert spans[-1][1] is None, "and to its end"
    assert [offset for offset, _ in spans[1:]] == [offset + (length or 0) for offset, length in spans[:-1]]


def test_after_a_lost_connection_the_reading_goes_on_where_it_was(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim
) -> None:
    lose_connection_at(laboratory, 3, 7)
    numbers: list[int] = []
    assert copy_proven(laboratory.source(), storage, claim, numbers.append) == digest_of([LARGE])
    assert sum(numbers) == len(LARGE), "nothing was read twice"


def test_a_file_that_changed_while_the_connection_was_lost_is_not_continued(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim
) -> None:
    def change(path: str) -> None:
        laboratory.while_reading = None
        laboratory.write(path, LARGE[::-1], datetime(2026, 3, 3, tzinfo=UTC))
        raise SourceUnreachable("the connection was lost")

    laboratory.while_reading = change
    with pytest.raises(FileChanged):
        copy_proven(laboratory.source(), storage, claim)
    assert storage.staged == {}


def test_a_connection_that_is_lost_twice_at_the_same_byte_is_the_shares_trouble(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim
) -> None:
    laboratory.unreachable = SourceUnreachable("no answer")
    with pytest.raises(SourceUnreachable):
        copy_proven(laboratory.source(), storage, claim)
    assert storage.staged == {}


def test_a_copy_that_reads_back_otherwise_is_not_proven(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "read_staged", lambda name, offset=0, length=None: iter([LARGE[:-1] + b"!"]))
    with pytest.raises(CopyNotProven, match="read back as"):
        copy_proven(laboratory.source(), storage, claim)
    assert storage.staged == {}


def test_a_disk_that_fills_up_ends_the_copy_and_leaves_nothing(
    laboratory: Laboratory, storage: MemoryStorage, claim: Claim
) -> None:
    storage.fail_next("write", StorageUnavailable("the disk is full"))
    with pytest.raises(StorageUnavailable, match="the disk is full"):
        copy_proven(laboratory.source(), storage, claim)
    assert storage.staged == {}


def test_a_large_file_does_not_hold_up_small_ones(bench: Any) -> None:
    """The large file's reading ends only when all small files are on record."""
    bench.change(bench.instrument, transfer_config={"connections": 2})
    bench.write("microscope/0.raw", LARGE)
    for number in range(300):
        bench.write(f"microscope/{number:03}.csv")
    all_small_ones = threading.Event()
    waited: list[bool] = []

    def hold(path: str) -> None:
        if path.endswith(".raw"):
            waited.append(all_small_ones.wait(DEADLINE_SECONDS))

    def watch(outcomes: Any) -> None:
        if sum(state == VersionState.ARCHIVED for state in bench.states().values()) == 300:
            all_small_ones.set()

    bench.laboratory.while_reading = hold
    bench.harvest_and_tell(watch)

    assert waited
    assert all(waited)
    assert set(bench.states().values()) == {VersionState.ARCHIVED}


def test_a_large_file_is_read_for_one_location_after_the_other(bench: Any, tmp_path: Path) -> None:
    bench.change(bench.instrument, rehash_share=0)  # which would read it once more in the end
    bench.add_location("second", tmp_path / "second")
    bench.laboratory.write("microscope/large.raw", LARGE, MTIME)
    readers: list[int] = []
    bench.laboratory.while_reading = lambda path: readers.append(threading.get_ident())
    bench.harvest()
    assert len(bench.archived()) == len(bench.archived(tmp_path / "second")) == 1
    assert len(list(groupby(readers))) <= 2


class SlowToTell(MemorySource):
    """As Samba is: while a file is open it shows the old mtime; ``meanwhile`` shows only when it is closed."""

    def __init__(self, laboratory: Laboratory, meanwhile: Callable[[str], None]) -> None:
        super().__init__(laboratory)
        self._meanwhile = meanwhile

    @contextmanager
    def open(self, source_path: str) -> Iterator[OpenMemoryFile]:
        with super().open(source_path) as file:
            yield file
        self._meanwhile(source_path)


def test_a_file_that_was_rewritten_unseen_while_it_was_read_is_no_copy(
    laboratory: Laboratory, storage: MemoryStorage, claim: Any
) -> None:
    source = SlowToTell(laboratory, lambda path: laboratory.write(path, LARGE, MTIME + timedelta(seconds=1)))
    with pytest.raises(FileChanged):
        copy_proven(source, storage, claim)
    assert storage.staged_names() == []


def test_a_file_that_is_gone_when_its_copy_is_complete_is_taken(
    laboratory: Laboratory, storage: MemoryStorage, claim: Any
) -> None:
    source = SlowToTell(laboratory, lambda path: laboratory.remove(path))
    assert copy_proven(source, storage, claim) == digest_of([LARGE])


def test_small_files_do_not_hold_up_a_large_one(bench: Any) -> None:
    """Small files are answered only once the large one, which comes last in order, has been read."""
    bench.change(bench.instrument, transfer_config={"connections": 2})
    bench.write("microscope/z.raw", LARGE)
    for number in range(300):
        bench.write(f"microscope/{number:03}.csv")
    large_one = threading.Event()
    waited: list[bool] = []

    def hold(path: str) -> None:
        if path.endswith(".raw"):
            large_one.set()
        else:
            waited.append(large_one.wait(DEADLINE_SECONDS))

    bench.laboratory.while_reading = hold
    bench.harvest()

    assert all(waited)
    assert set(bench.states().values()) == {VersionState.ARCHIVED}


def test_small_files_that_a_lost_connection_owes_are_asked_for_again(bench: Any) -> None:
    for number in range(40):
        bench.write(f"microscope/{number:02}.csv", b"%d" % number)
    lose_connection_at(bench.laboratory, 5, 12, 30)

    report = bench.harvest()

    assert report.troubles == []
    assert report.counts == {VersionState.ARCHIVED: 40}


class Broken(MemorySource):
    """The connection is lost before the first byte of these files is there; they can be opened."""

    def __init__(self, laboratory: Laboratory, paths: Collection[str]) -> None:
        super().__init__(laboratory)
        self._paths = paths

    @contextmanager
    def open(self, source_path: str) -> Iterator[OpenMemoryFile]:
        with super().open(source_path) as file:
            if source_path in self._paths:
                file.chunks = self._lose  # type: ignore[method-assign]  # this one file is to be broken
            yield file

    def _lose(self, offset: int = 0) -> Iterator[bytes]:  # noqa: ARG002 - as every open file has it
        raise SourceUnreachable("the connection was lost")


def harvest_broken(bench: Any, content: bytes, broken: Collection[int]) -> HarvestReport:
    """Ten files of this content, some of which break connections."""
    bench.change(bench.instrument, transfer_config={"connections": 1})
    for number in range(10):
        bench.write(f"microscope/{number}.csv", content)
    paths = [f"microscope/{number}.csv" for number in broken]
    return bench.with_facility(open_source=lambda instrument: Broken(bench.laboratory, paths)).harvest()


@pytest.mark.parametrize(("content", "broken"), [(b"small", 0), (b"small", 4), (b"small", 9), (LARGE, 4)])
def test_a_file_that_breaks_connections_takes_no_others_along(bench: Any, content: bytes, broken: int) -> None:
    report = harvest_broken(bench, content, [broken])
    assert report.troubles == []
    assert report.counts == {VersionState.ARCHIVED: 9, VersionState.PENDING: 1}
    assert "the connection is lost whenever it is read" in bench.version(f"microscope/{broken}.csv").reason


@pytest.mark.parametrize(
    ("content", "broken", "told"),
    [
        (b"small", range(10), 1),
        (b"small", range(2, 10), 1),
        (LARGE, range(10), 1),
        (LARGE, range(2, 10), LOSSES_IN_A_ROW + 1),
    ],
)
def test_a_share_that_breaks_connections_on_every_file_is_left_alone(
    bench: Any, content: bytes, broken: range, told: int
) -> None:
    report = harvest_broken(bench, content, broken)
    assert [str(trouble) for trouble in report.troubles] == ["the connection was lost"]
    assert report.counts[VersionState.PENDING] == told
    assert report.counts[VersionState.ARCHIVED] == 10 - len(broken)


class Dead(MemorySource):
    """The server dies while the first file is read: no further connection is made, whoever asks for whatever."""

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
        if self._laboratory.unreachable:
            raise self._laboratory.unreachable
        yield from super().read_whole(files)


@pytest.mark.parametrize("connections", [1, 4])
def test_a_harvest_ends_when_the_server_dies_under_it(bench: Any, connections: int) -> None:
    bench.change(bench.instrument, transfer_config={"connections": connections})
    for number in range(10):
        bench.write(f"microscope/{number}.csv", b"small")

    def die(path: str) -> None:
        bench.laboratory.unreachable = SourceUnreachable("the server is dead")

    bench.laboratory.while_reading = die
    report = bench.with_facility(open_source=lambda instrument: Dead(bench.laboratory)).harvest()

    assert [str(trouble) for trouble in report.troubles] == ["the server is dead"]
    assert set(bench.states().values()) == {VersionState.PENDING}


def test_a_run_that_is_ended_drops_the_large_file_under_way(bench: Any) -> None:
    bench.change(bench.instrument, transfer_config={"connections": 2})
    bench.laboratory.chunk_bytes = 1 << 10
    bench.write("microscope/a.raw", LARGE)
    bench.write("microscope/b.csv")
    slowness = threading.Event()
    pieces: list[str] = []

    def take_time(path: str) -> None:
        slowness.wait(0.005)
        pieces.append(path)

    def end(outcomes: Any) -> None:
        raise KeyboardInterrupt

    bench.laboratory.while_reading = take_time
    with pytest.raises(KeyboardInterrupt):
        bench.harvest_and_tell(end)

    assert len(pieces) < len(LARGE) // bench.laboratory.chunk_bytes
    assert bench.staged() == []
    bench.laboratory.while_reading = None
    bench.harvest()
    assert set(bench.states().values()) == {VersionState.ARCHIVED}


class Endless(MemorySource):
    """A share of files that are made as they are read, and so take no memory of their own."""

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[Any]:
        for file in files:
            laboratory = Laboratory()
            laboratory.write(file.source_path, bytes(file.size_bytes), file.mtime)
            yield from laboratory.source().read_whole([file])


def test_memory_does_not_grow_with_what_is_read(bench: Any) -> None:
    bench.change(bench.instrument, transfer_config={"connections": 2})
    for number in range(150):
        bench.write(f"microscope/{number:03}.raw", b"x" * 900_000)
    total = 150 * 900_000
    sizes = {path: len(file.content) for path, file in bench.laboratory.files.items()}
    assert sum(sizes.values()) == total
    lean = bench.with_facility(open_source=lambda instrument: Endless(bench.laboratory))
    tracemalloc.start()
    try:
        report = lean.harvest()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.counts == {VersionState.ARCHIVED: 150}
    assert peak < total / 3
