import os
import posixpath
import re
import tempfile
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from streamweave.errors import InvalidInput
from streamweave.storage.archive_paths import (
    LONGEST_PART,
    archive_folder_problem,
    destination_path,
    next_path,
    source_path_of,
)
from streamweave.storage.marks import Mark
from streamweave.storage.posix import PosixStorage
from streamweave.storage.s3.connection import LONGEST_KEY, checked_key, key_problem
from streamweave.storage.safe_path import CONTROL, path_components

MARK = Mark(UUID(int=1), UUID(int=2), datetime(2026, 3, 1, tzinfo=UTC))

FOLDER = "Microscope 01"
any_character = st.characters(exclude_characters="/")  # surrogates among them
tricky = st.text(st.sampled_from("~vr012.% -CONcon\\\n:é"), max_size=9)
parts = st.text(any_character, max_size=12) | tricky | st.sampled_from(["..", ".", "", "CON", "nul.txt", "%-", "%2E"])
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
long_paths = st.builds(lambda part, times, end: part * times + end, parts, st.integers(1, 200), tricky)
versions = st.integers(1, 12) | st.integers(1, 10**9)
HOSTILE = '/..~~v12%%-- \\:*?<>|"\0\x01\n\x1b\x7f\x85CONcon.nu.l.csvé\u0301\u202e😀\ud800\udfff\ufffe\ufdd0x'
# many characters out of one draw: code units of UTF-16, as NTFS takes them, or those that mean something somewhere
hostile = (
    st.binary(min_size=1, max_size=60)
    .map(lambda drawn: drawn[1:] * (drawn[0] % 60 or 1) if drawn[0] > 240 else drawn[1:])
    .map(
        lambda drawn: (
            "".join(HOSTILE[byte % len(HOSTILE)] for byte in drawn)
            if len(drawn) % 2
            else drawn.decode("utf-16-le", "surrogatepass")
        )
    )
)
two = st.tuples(paths | long_paths, versions)


def destination(source_path: str, version: int = 1) -> str:
    return destination_path(FOLDER, source_path, version).removeprefix(f"{FOLDER}/")


@pytest.mark.parametrize(
    "source_path",
    [
        "microscope/experiment_001.csv",
        "microscope/user_a/My data (2), final+1 [x] 'é' 日本 😀 שלום.tar.gz",
        "microscope/.hidden/~$report.docx",
        "microscope/console.log",
        "microscope/a..b/v2~v.csv",
    ],
)
def test_ordinary_names_pass_unchanged(source_path: str) -> None:
    assert destination_path(FOLDER, source_path, 1) == f"{FOLDER}/{source_path}"


@pytest.mark.parametrize(
    ("source_path", "version", "expected"),
    [
        ("m/scan_01.csv", 2, "m/scan_01~v2.csv"),
        ("m/scan_01", 12, "m/scan_01~v12"),
        ("m/.profile", 2, "m/.profile~v2"),
        ("m/a.tar.gz", 2, "m/a.tar~v2.gz"),
        ("m/scan_01~v2.csv", 1, "m/scan_01%7Ev2.csv"),
        ("m/scan_01~v2", 1, "m/scan_01%7Ev2"),
        ("m/scan_01~v2.csv", 3, "m/scan_01%7Ev2~v3.csv"),
        ("m~v2/a", 1, "m%7Ev2/a"),
        ("../a", 1, ".%2E/a"),
        ("./a", 1, "%2E/a"),
        ("a//b", 1, "a/%-/b"),
        ("a.", 1, "a%2E"),
        ("a ", 1, "a%20"),
        ("a\\..\\b", 1, "a%5C..%5Cb"),
        ("100%", 1, "100%25"),
        ('<>:"|?*', 1, "%3C%3E%3A%22%7C%3F%2A"),
        ("a\0\n\x7f\x85", 1, "a%00%0A%7F%C2%85"),
        ("\ufffe\U0010ffff\ufdd0", 1, "%EF%BF%BE%F4%8F%BF%BF%EF%B7%90"),
        ("\ud800", 1, "%ED%A0%80"),
        ("CON", 1, "%43ON"),
        ("con.txt", 1, "%63on.txt"),
        ("Lpt1 .a.b", 1, "%4Cpt1 .a.b"),
        ("COM¹", 2, "%43OM¹~v2"),
        (".streamweave", 1, "%2Estreamweave"),
        ("a/.StreamWeave-staging/b", 1, "a/%2EStreamWeave-staging/b"),
    ],
)
def test_hostile_names_are_made_safe(source_path: str, version: int, expected: str) -> None:
    assert destination(source_path, version) == expected


@given(two, two)
@example(("a~v2.csv", 1), ("a.csv", 2))
@example(("a%2E", 1), ("a.", 1))
@example(("", 2), ("%", 2))
@example(("é", 1), (unicodedata.normalize("NFD", "é"), 1))
def test_no_two_versions_share_a_destination(one: tuple[str, int], other: tuple[str, int]) -> None:
    assume(one != other)
    assert destination(*one) != destination(*other)


@given(paths, versions, versions)
def test_no_two_versions_of_one_path_share_a_destination(source_path: str, one: int, other: int) -> None:
    assert (destination(source_path, one) == destination(source_path, other)) is (one == other)


@given(paths, versions)
def test_the_way_back_is_known(source_path: str, version: int) -> None:
    path = destination_path(FOLDER, source_path, version)
    assume(max(len(part.encode()) for part in path.split("/")) < LONGEST_PART - 20)
    assert source_path_of(path) == (source_path, version)


@given(paths | long_paths, versions)
def test_a_destination_is_safe_wherever_it_is_written(source_path: str, version: int) -> None:
    path = destination_path(FOLDER, source_path, version)
    assert posixpath.normpath(path) == path
    assert path.startswith(f"{FOLDER}/")
    assert path.count("/") == source_path.count("/") + 1
    for part in path.split("/"):
        assert 0 < len(part.encode()) <= LONGEST_PART
        assert not set(part) & set('\\<>:"|?*')
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in part)
        assert part[-1] not in ". "
        assert not part.casefold().startswith(".streamweave")


@settings(max_examples=10_000, deadline=None, database=None, phases=[Phase.generate])
@given(hostile, st.integers(1, 20))
def test_10_000_hostile_names_stay_below_the_base_and_lead_back_to_their_record(source_path: str, version: int) -> None:
    """As a path of a folder, and as a key of a bucket: neither leaves its base, and each names one record only."""
    path = destination_path(FOLDER, source_path, version)
    assert posixpath.normpath(posixpath.join("/base", path)) == f"/base/{path}"
    assert path_components(path)[0] == FOLDER
    assert not any(part.casefold().startswith(CONTROL) for part in path_components(path))
    key = f"prefix/{path}"
    assert (key_problem(key) is None) == (len(key.encode()) <= LONGEST_KEY)
    if key_problem(key) is None:
        assert checked_key("prefix", path) == key
    if "%~" in path:  # a part was cut: the way back is the record alone, which the path still names uniquely
        assert destination_path(FOLDER, source_path, version + 1) != path
    else:
        assert source_path_of(path) == (source_path, version)


@settings(max_examples=5, deadline=None, database=None, phases=[Phase.generate])
@given(st.sets(hostile, min_size=40, max_size=40).map(sorted))
def test_hostile_names_are_published_below_the_base_and_read_back_by_their_record(names: list[str]) -> None:
    """Two hundred of them, in a real folder: what isn't archived is refused, and nothing stands anywhere else."""
    with tempfile.TemporaryDirectory() as outside:
        storage = PosixStorage(base := Path(outside) / "base")
        storage.prepare(MARK, is_new=True)
        folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
        files = [name for name in names if name not in folders]  # no share has a file and a folder of one name
        contents = {str(number): name.encode("utf-8", "surrogatepass") for number, name in enumerate(files)}
        places = {str(number): destination_path(FOLDER, name, 1) for number, name in enumerate(files)}
        assert storage.stage_whole(contents) == {}
        refused = storage.publish_many(places)
        assert all(len(os.fsencode(storage.address(places[number]))) > 4_000 for number in refused)
        published = {places[number]: contents[number] for number in places.keys() - refused.keys()}
        assert {path: b"".join(storage.read(path)) for path in storage.paths()} == published
        assert os.listdir(outside) == [base.name]
        assert sorted(os.listdir(base)) == sorted({CONTROL, *([FOLDER] if published else [])})


@given(parts, parts, st.integers(2, 12))
@example("a", "a~v2", 2)
@example("", "%-~v2", 2)
def test_no_later_version_stands_where_another_file_needs_a_folder(filename: str, folder: str, version: int) -> None:
    assert destination(filename, version) != destination(f"{folder}/a").partition("/")[0]


@pytest.mark.parametrize("character", ["x", "é", "😀", "*", "\ufffe"])
def test_a_long_name_is_cut_and_keeps_version_and_extension(character: str) -> None:
    name = character * 900 + ".csv"
    first, second = destination(name), destination(name, 2)
    assert re.fullmatch(r".+%~[0-9a-f]{16}\.csv", first)
    assert re.fullmatch(r".+%~[0-9a-f]{16}~v2\.csv", second)
    assert LONGEST_PART - 4 < len(first.encode()) <= LONGEST_PART
    assert first.count("%~") == second.count("%~") == 1


def test_long_names_that_differ_only_in_what_is_cut_stay_apart() -> None:
    assert destination("x" * 900 + "a") != destination("x" * 900 + "b")


def test_a_long_extension_is_cut_like_the_rest() -> None:
    assert len(destination("x." + "y" * 900, 2).encode()) == LONGEST_PART


def test_a_name_of_255_bytes_is_cut_only_where_a_version_makes_it_longer() -> None:
    name = "x" * 251 + ".csv"
    assert destination(name) == name
    assert len(destination(name, 2)) == LONGEST_PART


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Microscope 01",
        "Microscope 01/a~v1.csv",
        "Microscope 01/a~v02.csv",
        "Microscope 01/a~v0",
        "Microscope 01/" + "a~v" + "9" * 5000,
        "Microscope 01/a%2e",
        "Microscope 01/%41",
        "Microscope 01/%FF",
        "Microscope 01/100%",
        "Microscope 01/..",
        "Microscope 01//a",
        "Microscope 01/a\ud800",
        "../a",
        destination_path(FOLDER, "x" * 900, 1),
    ],
)
def test_a_path_that_is_not_ours_or_was_cut_leads_nowhere(path: str) -> None:
    with pytest.raises(InvalidInput):
        source_path_of(path)


def test_a_version_is_counted_from_one() -> None:
    with pytest.raises(InvalidInput, match="version"):
        destination_path(FOLDER, "a", 0)


@pytest.mark.parametrize("name", ["Microscope 01", "X-ray (Lab 2), [new]", "Röntgen 日本", "x" * 120, "Consol"])
def test_an_instruments_name_is_its_folder(name: str) -> None:
    assert archive_folder_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        ("x" * 121, "120 bytes"),
        ("é" * 61, "120 bytes"),
        (".hidden", "begin"),
        ("..", "begin"),
        (" x", "begin"),
        ("x.", "end"),
        ("x ", "end"),
        ("CON", "Windows reserves"),
        ("lpt1.old", "Windows reserves"),
        ("TOF/SIMS", "'/'"),
        ("a\\b", "must not contain"),
        ("C: drive", "':'"),
        ("100%", "'%'"),
        ("a\nb", "must not contain"),
        ("\ud800", "must not contain"),
    ],
)
def test_a_name_that_can_not_be_a_folder_is_refused_with_the_reason(name: str, problem: str) -> None:
    assert problem in (archive_folder_problem(name) or "")
    with pytest.raises(InvalidInput, match="archive_folder"):
        destination_path(name, "a", 1)


@given(st.text(st.characters(), max_size=20))
def test_an_archive_folder_needs_no_encoding(name: str) -> None:
    assume(archive_folder_problem(name) is None)
    assert "/" not in name
    assert destination_path(name, f"{name}/a", 1) in (f"{name}/{name}/a", f"{name}/{name.replace('~', '%7E')}/a")


@given(source_path=st.sampled_from(["a/scan.csv", "a/scan~v1r1.csv", "a/scan~v1.csv", "a/~v2r3", "a/x"]))
def test_a_repaired_copy_has_a_name_of_its_own_and_the_way_back_is_known(source_path: str) -> None:
    paths = [destination_path(FOLDER, source_path, version, repair) for version in (1, 2) for repair in (0, 1, 2)]
    assert len(set(paths)) == len(paths)
    assert [source_path_of(path) for path in paths] == [(source_path, version) for version in (1, 2) for _ in range(3)]


def test_no_file_is_taken_for_the_repaired_copy_of_another() -> None:
    assert destination_path(FOLDER, "a/scan.csv", 1, 1) == f"{FOLDER}/a/scan~v1r1.csv"
    assert destination_path(FOLDER, "a/scan~v1r1.csv", 1) == f"{FOLDER}/a/scan%7Ev1r1.csv"


def candidates(wanted: str, refusals: list[int | None]) -> list[str]:
    """The paths that are tried while a storage refuses one after the other, each for the reason in its turn."""
    tried = [wanted]
    for refusal in refusals:
        part = None if refusal is None else refusal % len(tried[-1].split("/"))
        if following := next_path(wanted, tried[-1], part):
            tried.append(following)
    return tried


refusals = st.lists(st.integers(-1, 9), max_size=30) | st.lists(st.none() | st.integers(-1, 9), max_size=30)
LAST_RESORT = re.compile(r"%~(?:%~[2-9])?/[0-9a-f]{32}(?:%~[2-9])?(?:\.[A-Za-z0-9]{1,8})?")


@pytest.mark.parametrize(
    ("wanted", "refusals", "expected"),
    [
        ("M/result/inside.csv", [1], "M/result%~2/inside.csv"),
        ("M/result/inside.csv", [1, 1], "M/result%~3/inside.csv"),
        ("M/result/inside.csv", [1, 2, 0], "M%~2/result%~2/inside%~2.csv"),
        ("M/sample.d/a", [1], "M/sample%~2.d/a"),
        ("M/scan~v3.csv", [-1], "M/scan%~2~v3.csv"),
        ("M/scan~v1r1", [-1], "M/scan%~2~v1r1"),
        ("M/scan%7Ev2.csv", [-1], "M/scan%7Ev2%~2.csv"),
        ("M/.profile", [-1], "M/.profile%~2"),
        ("M/%-", [-1], "M/%-%~2"),
        ("M/a.csv", [-1] * 9, "%~/cd565746c140a91f89fae3b9e28e790e.csv"),
        ("M/a.csv", [None, 0, -1], "%~%~2/cd565746c140a91f89fae3b9e28e790e%~2.csv"),
    ],
)
def test_the_next_name_is_the_documented_one(wanted: str, refusals: list[int | None], expected: str) -> None:
    assert candidates(wanted, refusals)[-1] == expected


def test_after_the_last_resort_there_is_no_further_name() -> None:
    last = candidates("M/a", [None])[-1]
    assert next_path("M/a", last, None) is None
    assert len(candidates("M/a", [-1] * 99)) == len(set(candidates("M/a", [-1] * 99))) == 1 + 8 + 1 + 8


@given(paths | long_paths, versions, refusals)
def test_a_next_name_is_as_safe_as_the_first_and_leads_back_where_it_can(
    source_path: str, version: int, refusals: list[int | None]
) -> None:
    wanted = destination_path(FOLDER, source_path, version)
    tried = candidates(wanted, refusals)
    assert len(set(tried)) == len(tried)
    for path in tried:
        assert posixpath.normpath(path) == path
        assert all(0 < len(part.encode()) <= LONGEST_PART for part in path.split("/"))
        assert path_components(path)[0] != CONTROL
        if path.startswith("%~"):
            assert LAST_RESORT.fullmatch(path)
            with pytest.raises(InvalidInput):
                source_path_of(path)
        elif not re.search("%~[0-9a-f]{16}", wanted):
            assert source_path_of(path) == (source_path, version)


@given(two, two, refusals, refusals)
@example(("a", 2), ("a%~2", 1), [-1], [])
@example(("a/b", 1), ("a%~2/b", 1), [1], [])
def test_no_name_that_is_tried_for_one_version_is_tried_for_another(
    one: tuple[str, int], other: tuple[str, int], of_one: list[int | None], of_other: list[int | None]
) -> None:
    assume(one != other)
    tried = candidates(destination_path(FOLDER, *one), of_one)
    assert not set(tried) & set(candidates(destination_path(FOLDER, *other), of_other))


@given(source_path=st.sampled_from(["a/scan.csv", "a/scan~v1r1.csv", "x"]), refusals=refusals)
def test_repaired_copies_and_further_versions_never_meet_under_next_names(
    source_path: str, refusals: list[int | None]
) -> None:
    wanted = [destination_path(FOLDER, source_path, version, repair) for version in (1, 2) for repair in (0, 1)]
    tried = [path for each in wanted for path in candidates(each, refusals)]
    assert len(set(tried)) == len(tried)
