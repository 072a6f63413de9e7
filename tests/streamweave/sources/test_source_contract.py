"""What every source promises, shown on each implementation."""

import hashlib
import random
import unicodedata
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamweave.errors import FileVanished
from streamweave.sources.base import FolderListing, Source, SourceFile, WholeFile

MTIME = datetime(2025, 3, 9, 12, 30, 15, tzinfo=UTC)
LEGAL_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=40
).filter(lambda name: name not in {".", ".."} and len(name.encode()) <= 200)


def read(source: Source, source_path: str) -> bytes:
    with source.open(source_path) as file:
        return b"".join(file.chunks())


def files_of(source: Source) -> dict[str, SourceFile]:
    return {file.source_path: file for listing in source.listings() for file in listing.files}


def test_every_folder_is_listed_once_with_the_base_folder_first(bench: Any) -> None:
    for path in ("a.txt", "run/1/b.txt", "run/2/c.txt"):
        bench.write(path, b"x")
    bench.make_folder("empty")
    listings = list(bench.source().listings())
    below = ["", "/empty", "/run", "/run/1", "/run/2"]
    assert listings[0].folder == bench.base
    assert sorted(listing.folder for listing in listings) == [bench.base + folder for folder in below]
    assert [listing.problem for listing in listings] == [None] * 5
    assert {file.source_path for listing in listings for file in listing.files} == {
        f"{bench.base}/{path}" for path in ("a.txt", "run/1/b.txt", "run/2/c.txt")
    }


def test_an_empty_share_is_one_empty_folder(bench: Any) -> None:
    assert list(bench.source().listings()) == [FolderListing(bench.base, ())]


def test_folders_that_are_passed_over_are_left_out_with_all_below_them(bench: Any) -> None:
    for path in ("a.txt", "old/1/b.txt", "run/2/c.txt", "run/3/d.txt"):
        bench.write(path, b"x")
    passed_over = {f"{bench.base}/old", f"{bench.base}/run/2"}
    listings = {listing.folder: listing for listing in bench.source().listings(passed_over)}
    assert sorted(listings) == [bench.base, f"{bench.base}/run", f"{bench.base}/run/3"]
    assert (listings[bench.base].folders, listings[f"{bench.base}/run"].folders) == (2, 2)


def test_a_file_is_listed_with_its_size_and_the_time_of_its_last_change(bench: Any) -> None:
    bench.write("a.txt", b"hello")
    path = f"{bench.base}/a.txt"
    source = bench.source()
    assert files_of(source) == {path: SourceFile(path, 5, MTIME)}
    with source.open(path) as file:
        assert file.now() == SourceFile(path, 5, MTIME)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000, 20 << 20])
def test_a_file_is_read_byte_for_byte(bench: Any, size: int) -> None:
    content = random.Random(size).randbytes(size)
    bench.write("data.raw", content)
    received = read(bench.source(), f"{bench.base}/data.raw")
    assert hashlib.sha256(received).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("offset", [0, 1, 65_536, 200_000, 299_999, 300_000, 400_000])
def test_a_file_is_read_on_from_any_offset(bench: Any, offset: int) -> None:
    content = random.Random(0).randbytes(300_000)
    bench.write("data.raw", content)
    with bench.source().open(f"{bench.base}/data.raw") as file:
        assert b"".join(file.chunks(offset)) == content[offset:]


def test_many_files_are_read_in_one_go_each_with_every_fault_in_its_place(bench: Any) -> None:
    contents = {f"{number:03}.raw": random.Random(number).randbytes(number * 1_000) for number in range(70)}
    for name, content in contents.items():
        bench.write(name, content)
    bench.append("010.raw", b"more than was listed")
    asked = [SourceFile(f"{bench.base}/{name}", len(content), MTIME) for name, content in contents.items()]
    asked[20] = SourceFile(f"{bench.base}/missing.raw", 5, MTIME)
    answers = dict(zip(contents, bench.source().read_whole(iter(asked)), strict=True))
    assert isinstance(answers.pop("020.raw"), FileVanished)
    grown = answers.pop("010.raw")
    assert isinstance(grown, WholeFile)
    assert grown.content == contents["010.raw"] + b"m"
    assert grown.at_closing.size_bytes == 10_020
    for number, (name, answer) in enumerate(answers.items()):
        assert isinstance(answer, WholeFile), (number, answer)
        assert answer.content == contents[name]
        assert answer.at_opening == answer.at_closing
        assert answer.at_closing == SourceFile(f"{bench.base}/{name}", len(contents[name]), MTIME)


@pytest.mark.parametrize("size", [100, 300_000])
def test_what_a_file_gains_while_it_is_read_is_read_too(bench: Any, size: int) -> None:
    bench.write("growing.raw", b"a" * size)
    with bench.source().open(f"{bench.base}/growing.raw") as file:
        chunks = file.chunks()
        received = next(chunks)
        bench.append("growing.raw", b"b" * 70_000)
        received += b"".join(chunks)
        assert file.now().size_bytes == size + 70_000
    assert received == b"a" * size + b"b" * 70_000


def test_a_file_removed_while_it_is_open_is_read_to_its_end(bench: Any) -> None:
    bench.write("short-lived.raw", b"x" * 300_000)
    with bench.source().open(f"{bench.base}/short-lived.raw") as file:
        bench.remove("short-lived.raw")
        assert b"".join(file.chunks()) == b"x" * 300_000


@pytest.mark.parametrize("path", ["nothing.txt", "no/such/folder.txt"])
def test_a_file_that_is_not_there_has_vanished(bench: Any, path: str) -> None:
    source = bench.source()
    with pytest.raises(FileVanished), source.open(f"{bench.base}/{path}"):
        pass
    with pytest.raises(FileVanished):
        source.has_open_writer(f"{bench.base}/{path}")
    assert list(source.listings())


def test_a_file_of_another_share_has_vanished(bench: Any) -> None:
    with pytest.raises(FileVanished), bench.source().open("elsewhere/a.txt"):
        pass


def test_a_file_that_nobody_writes_has_no_open_writer(bench: Any) -> None:
    bench.write("a.txt", b"x")
    assert bench.source().has_open_writer(f"{bench.base}/a.txt") is False


@given(names=st.sets(LEGAL_NAMES, min_size=1, max_size=8))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_name_that_is_listed_can_be_read(bench: Any, names: set[str]) -> None:
    run = uuid.uuid4().hex
    for name in names:
        bench.write(f"{run}/{name}", name.encode())
    source = bench.source()
    listed = [path for path in files_of(source) if f"/{run}/" in path]
    assert sorted(read(source, path) for path in listed) == sorted(name.encode() for name in names)


@pytest.mark.parametrize(
    "name",
    [
        "with  spaces .txt",
        unicodedata.normalize("NFC", "Überblick é.txt"),
        unicodedata.normalize("NFD", "Überblick é.txt"),
        "日本語 🔬.tif",
        "UPPER.TXT",
        "%41{braces}.txt",
    ],
)
def test_a_name_is_listed_exactly_as_it_is(bench: Any, name: str) -> None:
    bench.write(name, b"x")
    assert list(files_of(bench.source())) == [f"{bench.base}/{name}"]


def test_a_path_of_300_characters_is_listed_and_read(bench: Any) -> None:
    path = "/".join(["d" * 99] * 3 + ["file.raw"])
    bench.write(path, b"deep")
    source = bench.source()
    assert list(files_of(source)) == [f"{bench.base}/{path}"]
    assert read(source, f"{bench.base}/{path}") == b"deep"


def test_a_folder_of_many_files_is_listed_completely(bench: Any) -> None:
    names = {f"frame_{number:05d}.tif" for number in range(bench.many)}
    for name in names:
        bench.write(f"series/{name}", b"")
    assert set(files_of(bench.source())) == {f"{bench.base}/series/{name}" for name in names}


def test_files_are_read_while_a_listing_is_under_way(bench: Any) -> None:
    for number in range(40):
        bench.write(f"run{number:02d}/data.raw", str(number).encode() * 50_000)
    source = bench.source()
    for listing in source.listings():
        for file in listing.files:
            assert len(read(source, file.source_path)) == file.size_bytes


def test_what_was_left_unfinished_does_not_disturb_what_follows(bench: Any) -> None:
    for number in range(20):
        bench.write(f"run{number:02d}/data.raw", b"x" * 300_000)
    source = bench.source()
    assert next(iter(source.listings())).folder == bench.base
    path = f"{bench.base}/run00/data.raw"
    for _ in range(3):
        with source.open(path) as file:
            assert next(file.chunks())
        with source.open(path):
            pass
    assert len(files_of(source)) == 20
    assert len(read(source, path)) == 300_000


def test_four_sources_at_once_read_the_same(bench: Any) -> None:
    for number in range(24):
        bench.write(f"run{number % 3}/{number}.raw", str(number).encode() * 30_000)

    def listed_and_read(source: Source) -> dict[str, bytes]:
        return {path: read(source, path) for path in files_of(source)}

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(listed_and_read, [bench.source() for _ in range(4)])
    assert len(first) == 24
    assert others == [first] * 3


def test_closing_twice_is_fine_also_without_having_connected(bench: Any) -> None:
    bench.write("a.txt", b"x")
    source = bench.source()
    source.close()
    assert len(files_of(source)) == 1
    source.close()
    source.close()


def test_a_folder_of_many_files_comes_in_parts_that_say_where_they_begin_and_end(bench: Any) -> None:
    names = {f"frames/{number:05}.raw" for number in range(bench.many)}
    for name in names:
        bench.write(name, b"")
    bench.make_folder("after")

    parts = [each for each in bench.source().listings() if each.folder == f"{bench.base}/frames"]

    assert [part.begins for part in parts] == [number == 0 for number in range(len(parts))]
    assert [part.ends for part in parts] == [number == len(parts) - 1 for number in range(len(parts))]
    assert len(parts) > 1 or bench.many < 4_000
    listed = [file.source_path for part in parts for file in part.files]
    assert sorted(listed) == sorted(f"{bench.base}/{name}" for name in names)
