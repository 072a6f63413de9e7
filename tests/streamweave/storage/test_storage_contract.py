"""What every storage location promises, shown on each implementation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from bench import publish_one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.memory_storage import MemoryStorage
from streamweave.errors import (
    DestinationOccupied,
    NotAFile,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.base import CopyStat, Storage
from streamweave.storage.marks import Mark, NoMark
from streamweave.storage.posix import PosixStorage

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))

HOSTILE_COMPONENTS = ("..", ".", "", "/", "\0", "a", "..\0", "~", "\\..", "…", "link", "\ud800")


Opener = Callable[[str], Storage]


@pytest.fixture(params=["posix", "memory", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens locations of one kind by a name of their own."""
    if request.param == "posix":
        return lambda name: PosixStorage(tmp_path / name)
    if request.param == "memory":
        return lambda name: MemoryStorage()
    connection = request.getfixturevalue("connection")
    opener: Callable[..., Storage] = request.getfixturevalue("open_s3")
    return lambda name: opener(replace(connection, prefix=name))


@pytest.fixture
def storage(opened: Opener) -> Storage:
    storage = opened("archive")
    storage.prepare(MARK, is_new=True)
    return storage


def stage(storage: Storage, name: str, *pieces: bytes) -> None:
    with storage.stage(name) as writer:
        for piece in pieces:
            writer.write(piece)


def test_a_staged_file_reads_back_as_it_was_written(storage: Storage) -> None:
    stage(storage, "t1", b"first ", b"", b"second")
    assert b"".join(storage.read_staged("t1")) == b"first second"
    assert storage.staged_names() == ["t1"]
    assert list(storage.paths()) == []


def test_staging_again_begins_anew(storage: Storage) -> None:
    stage(storage, "t1", b"a longer first attempt")
    stage(storage, "t1", b"second")
    assert b"".join(storage.read_staged("t1")) == b"second"


def test_nothing_stays_of_a_staged_file_whose_writing_failed(storage: Storage) -> None:
    def write_half() -> None:
        with storage.stage("t1") as writer:
            writer.write(b"half")
            raise OSError("the share went away")

    with pytest.raises(OSError, match="the share went away"):
        write_half()
    assert storage.staged_names() == []


def test_publishing_gives_the_final_name_and_drops_the_staged_one(storage: Storage) -> None:
    stage(storage, "t1", b"content")
    publish_one(storage, "t1", "microscope/2025/scan.tif")
    storage.make_durable(["microscope/2025/scan.tif"])
    assert b"".join(storage.read("microscope/2025/scan.tif")) == b"content"
    assert storage.exists("microscope/2025/scan.tif")
    assert list(storage.paths()) == ["microscope/2025/scan.tif"]
    assert storage.staged_names() == []


def test_many_small_files_are_staged_read_back_and_published_at_once(storage: Storage) -> None:
    contents = {f"t{number}": b"%d" % number * number for number in range(200)}
    assert storage.stage_whole(contents) == {}
    assert set(storage.staged_names()) == set(contents)
    assert list(storage.read_staged_whole(list(contents))) == list(contents.values())
    assert storage.publish_many({name: f"f{len(content) % 7}/{name}" for name, content in contents.items()}) == {}
    assert storage.staged_names() == []
    for name, content in contents.items():
        assert b"".join(storage.read(f"f{len(content) % 7}/{name}")) == content


def test_of_many_files_each_has_its_own_error(storage: Storage) -> None:
    refused = storage.stage_whole({"a": b"1", "../b": b"2", "c": b"3", "d": b"4"})
    assert list(refused) == ["../b"]
    assert isinstance(refused["../b"], StorageRefused)
    assert sorted(storage.staged_names()) == ["a", "c", "d"]

    first, missing, third = storage.read_staged_whole(["a", "never", "c"])
    assert (first, third) == (b"1", b"3")
    assert isinstance(missing, StorageRefused)

    failed = storage.publish_many({"a": "m/1", "c": "m/1", "never": "m/2", "d": "../m/3"})
    [loser] = failed.keys() & {"a", "c"}
    assert {name: type(error) for name, error in failed.items()} == {
        loser: DestinationOccupied,
        "never": StorageUnavailable,
        "d": StorageRefused,
    }
    assert sorted(storage.staged_names()) == [loser, "d"]
    assert b"".join(storage.read("m/1")) == {"a": b"3", "c": b"1"}[loser]


def test_nothing_at_all_is_fine(storage: Storage) -> None:
    assert storage.stage_whole({}) == storage.publish_many({}) == {}
    assert list(storage.read_staged_whole([])) == []
    storage.make_durable([])


def test_whole_files_staged_again_begin_anew(storage: Storage) -> None:
    stage(storage, "t1", b"a longer first attempt")
    assert storage.stage_whole({"t1": b"second"}) == {}
    assert list(storage.read_staged_whole(["t1"])) == [b"second"]


def test_what_has_settled_can_be_read_back_while_the_file_is_written(storage: Storage) -> None:
    with storage.stage("t1") as writer:
        writer.write(b"0123456789")
        settled = writer.settle()
        assert 0 <= settled <= 10
        assert b"".join(storage.read_staged("t1", 2, max(0, settled - 2))) == b"0123456789"[2:settled]
        writer.write(b"abc")
    assert b"".join(storage.read_staged("t1", settled)) == b"0123456789abc"[settled:]


def test_an_empty_file_is_a_file(storage: Storage) -> None:
    stage(storage, "t1")
    publish_one(storage, "t1", "empty.dat")
    assert storage.exists("empty.dat")
    assert b"".join(storage.read("empty.dat")) == b""


def test_what_stands_is_never_overwritten_and_the_staged_file_is_kept(storage: Storage) -> None:
    stage(storage, "t1", b"first")
    publish_one(storage, "t1", "a/scan.tif")
    stage(storage, "t2", b"second")
    for occupied in ("a/scan.tif", "a"):
        with pytest.raises(DestinationOccupied, match="exists already"):
            publish_one(storage, "t2", occupied)
    assert b"".join(storage.read("a/scan.tif")) == b"first"
    assert b"".join(storage.read_staged("t2")) == b"second"


def test_of_many_threads_that_publish_one_path_exactly_one_succeeds(storage: Storage) -> None:
    def publish(number: int) -> bool:
        stage(storage, f"t{number}", str(number).encode())
        try:
            publish_one(storage, f"t{number}", "one/place")
        except DestinationOccupied:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(publish, range(16))) == 1
    assert len(storage.staged_names()) == 15


def test_a_file_below_a_file_is_the_trouble_of_that_part_of_the_path(storage: Storage) -> None:
    stage(storage, "t1", b"x")
    publish_one(storage, "t1", "a/file")
    stage(storage, "t2", b"y")
    with pytest.raises(PathUnusable, match="not a folder") as refusal:
        publish_one(storage, "t2", "a/file/inner/most")
    assert refusal.value.part == 1
    assert storage.staged_names() == ["t2"]


def test_discarding_is_fine_whether_or_not_there_is_a_file(storage: Storage) -> None:
    stage(storage, "t1", b"x")
    storage.discard("t1")
    storage.discard("t1")
    assert storage.staged_names() == []


def test_publishing_what_is_not_staged_is_tried_again_later(storage: Storage) -> None:
    with pytest.raises(StorageUnavailable, match="is gone"):
        publish_one(storage, "never-staged", "a/b")
    assert not storage.exists("a/b")


def test_reading_what_is_not_there_is_refused(storage: Storage) -> None:
    with pytest.raises(StorageRefused, match="not there"):
        list(storage.read("no/such/file"))
    assert not storage.exists("no/such/file")


@pytest.mark.parametrize(("offset", "length"), [(0, None), (3, None), (0, 4), (2, 5), (7, 3), (0, 0), (99, 1), (4, 99)])
def test_a_span_of_a_file_is_read(storage: Storage, offset: int, length: int | None) -> None:
    stage(storage, "t1", b"0123456789")
    publish_one(storage, "t1", "digits")
    end = None if length is None else offset + length
    for uncached in (False, True):
        pieces = storage.read("digits", offset, length, uncached=uncached)
        assert b"".join(pieces) == b"0123456789"[offset:end]


def test_reading_can_be_ended_before_the_files_end(storage: Storage) -> None:
    stage(storage, "t1", b"x" * 3_000_000)
    publish_one(storage, "t1", "large")
    pieces = storage.read("large")
    assert next(pieces).startswith(b"x")
    pieces.close()
    assert next(pieces, b"") == b""


def test_a_place_without_a_mark_is_refused_and_nothing_is_made_there(opened: Opener) -> None:
    elsewhere = opened("not-mounted")
    for question in (elsewhere.prepare, elsewhere.check_mark):
        with pytest.raises(StorageRefused, match=r"no mark|is the disk mounted"):
            question(MARK)
    assert elsewhere.found_mark() in (NoMark.NO_FOLDER, NoMark.MISSING)


def test_a_new_place_bears_its_mark(opened: Opener) -> None:
    opened("new").prepare(MARK, is_new=True)
    again = opened("new")
    if isinstance(again, MemoryStorage):
        again.put_mark(MARK)
    again.prepare(MARK)
    assert again.found_mark() == MARK


STRANGERS = {
    "another storage location": replace(MARK, location_id=UUID(int=7)),
    "another catalog": replace(MARK, catalog_id=UUID(int=7)),
    "was replaced": replace(MARK, made_at=MARK.made_at - timedelta(days=1)),
}


@pytest.mark.parametrize("words", STRANGERS)
def test_the_mark_of_a_stranger_is_refused_until_the_place_is_marked_anew(storage: Storage, words: str) -> None:
    storage.put_mark(STRANGERS[words])
    for question in (storage.check_mark, storage.prepare, partial(storage.prepare, is_new=True)):
        with pytest.raises(StorageRefused, match=words):
            question(MARK)
    assert storage.found_mark() == STRANGERS[words]
    storage.put_mark(MARK)
    storage.prepare(MARK)


def test_a_mark_that_was_made_later_is_accepted(storage: Storage) -> None:
    later = replace(MARK, made_at=MARK.made_at + timedelta(days=1))
    storage.put_mark(later)
    storage.check_mark(MARK)
    assert storage.found_mark() == later


def test_each_catalog_has_a_staging_area_of_its_own(storage: Storage, opened: Opener) -> None:
    if isinstance(storage, MemoryStorage):
        pytest.skip("nobody shares a memory")
    stage(storage, "t1", b"ours")
    other = replace(MARK, catalog_id=UUID(int=7))
    storage.put_mark(other)
    theirs = opened("archive")
    theirs.prepare(other)
    stage(theirs, "t1", b"theirs")
    stage(theirs, "t2", b"theirs")
    assert (storage.staged_names(), sorted(theirs.staged_names())) == (["t1"], ["t1", "t2"])
    assert storage.early_staged_names() == []
    theirs.discard("t1")
    assert b"".join(storage.read_staged("t1")) == b"ours"


def publish(storage: Storage, contents: dict[str, bytes]) -> None:
    """Publish these contents under their paths."""
    staged = {f"t{number}": content for number, content in enumerate(contents.values())}
    assert storage.stage_whole(staged) == {}
    assert storage.publish_many(dict(zip(staged, contents, strict=True))) == {}


def sizes(answers: list[CopyStat | StorageError | None]) -> list[object]:
    return [answer.size_bytes if isinstance(answer, CopyStat) else answer and type(answer) for answer in answers]


def test_what_exists_at_many_paths_is_told_in_their_order(storage: Storage) -> None:
    publish(storage, {"a/1": b"1", "a/b/22": b"22", "c/333": b"333", "4444": b"4444", "ä/empty": b""})
    asked = ["4444", "a/b/22", "a/none", "a/b", "none/at/all", "a/1", "../out", "c/333", "a/1", "ä/empty"]
    answers = storage.stat_many(asked)
    assert sizes(answers) == [4, 2, None, NotAFile, None, 1, StorageRefused, 3, 1, 0]
    assert storage.stat_many([]) == []


def test_many_paths_of_one_folder_are_told_whatever_lies_between_them(storage: Storage) -> None:
    contents = {f"f/{number:03}": b"x" * number for number in range(0, 40, 2)}
    publish(storage, contents | {f"f/{number:03}/inner": b"inner" for number in range(1, 40, 2)})
    answers = storage.stat_many([f"f/{number:03}" for number in reversed(range(42))])
    expected = [number if number % 2 == 0 else NotAFile for number in reversed(range(40))]
    assert sizes(answers) == [None, None, *expected]


def test_a_location_that_is_not_there_has_nothing_nowhere_but_raises(opened: Opener) -> None:
    with pytest.raises(StorageRefused):
        opened("never made").stat_many(["a/1"])


def test_a_copy_carries_the_time_of_its_source_however_it_was_staged(
    storage: Storage, request: pytest.FixtureRequest
) -> None:
    written = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
    with storage.stage("large", written) as writer:
        writer.write(b"x" * 5_000_001)
        writer.settle()
    assert storage.stage_whole({"s1": b"1", "s2": b"2"}, {"s1": written}) == {}
    storage.publish_many({"large": "a/large", "s1": "a/s1", "s2": "a/s2"})
    large, small, without = storage.stat_many(["a/large", "a/s1", "a/s2"])
    assert isinstance(large, CopyStat)
    assert isinstance(small, CopyStat)
    assert isinstance(without, CopyStat)
    now = datetime.now(UTC)
    recent = (now - timedelta(minutes=5)).timestamp() * 1e9 < without.mtime_ns < (now.timestamp() + 300) * 1e9
    assert recent
    if "s3" not in request.node.name:  # which says itself when an object was put
        assert {large.mtime_ns, small.mtime_ns} == {1709209815123456000}


@given(st.lists(st.sampled_from(HOSTILE_COMPONENTS) | st.text(max_size=8), min_size=1, max_size=5).map("/".join))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_path_leads_out_of_the_location(storage: Storage, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(exist_ok=True)
    link = tmp_path / "archive" / "link"
    if link.parent.exists() and not link.is_symlink():
        link.symlink_to(outside)
    stage(storage, "t1", b"hostile")
    try:
        publish_one(storage, "t1", path)
    except StorageError:
        storage.discard("t1")
    else:
        assert storage.exists(path)
    assert {entry.name for entry in tmp_path.iterdir()} <= {"archive", "outside"}
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "a/b", "/etc/passwd", "", "\0"])
def test_a_staged_name_is_one_plain_name(storage: Storage, name: str) -> None:
    with pytest.raises(StorageRefused), storage.stage(name):
        pass
    with pytest.raises(StorageRefused):
        storage.discard(name)


CATALOG = UUID(int=7)
RUN, OTHER = "2026-03-01/aaaa", "2026-03-02/bbbb"


def test_what_is_appended_to_a_journal_is_read_from_any_batch_on(storage: Storage) -> None:
    journal = storage.journal(CATALOG)
    assert journal.head() is None
    assert journal.sizes() == {}
    journal.append(RUN, 0, b"first\n")
    journal.append(RUN, 6, b"second\n")
    assert b"".join(journal.read(RUN)) == b"first\nsecond\n"
    assert b"".join(journal.read(RUN, 6)) == b"second\n"
    assert journal.head() == (RUN, 13)
    assert list(storage.paths()) == []


def test_the_head_names_the_journal_that_was_written_to_last(storage: Storage) -> None:
    journal = storage.journal(CATALOG)
    journal.append(RUN, 0, b"first\n")
    journal.append(OTHER, 0, b"a longer one\n")
    assert journal.head() == (OTHER, 13)
    journal.append(RUN, 6, b"x\n")
    assert journal.head() == (RUN, 8)
    assert list(journal.sizes().items()) == [(RUN, 8), (OTHER, 13)]
    assert journal.sizes("2026-03-02") == {OTHER: 13}


def test_what_a_failed_append_left_is_replaced_by_the_next(storage: Storage) -> None:
    journal = storage.journal(CATALOG)
    journal.append(RUN, 0, b"first\n")
    journal.append(RUN, 6, b"this was not heard to have worked\n")
    journal.append(RUN, 6, b"again\n")
    assert b"".join(journal.read(RUN)) == b"first\nagain\n"
    assert journal.head() == (RUN, 12)
    assert journal.sizes() == {RUN: 12}


def test_each_catalog_has_journals_of_its_own(storage: Storage) -> None:
    storage.journal(CATALOG).append(RUN, 0, b"ours\n")
    assert storage.journal(UUID(int=8)).head() is None
    assert storage.journal(UUID(int=8)).sizes() == {}


@pytest.mark.parametrize("name", ["../2026-03-01/a", "2026-03-01", "2026-03-01/..", "2026-03-01/a/b", "head"])
def test_a_journal_has_a_day_and_a_word_for_its_name(storage: Storage, name: str) -> None:
    with pytest.raises(StorageRefused):
        storage.journal(CATALOG).append(name, 0, b"lines\n")
