"""The pure parts: entries, names, times and the tables of faults."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smbprotocol.exceptions import SMBException

from streamweave.errors import CredentialsRefused, FileUnreadable, SourceUnreachable
from streamweave.sources.smb import SmbAddress, errors
from streamweave.sources.smb.address import from_filetime, is_askable, shown
from streamweave.sources.smb.answers import Entry, parse_entries
from streamweave.sources.smb.errors import BrokenAnswer
from streamweave.sources.smb.listing import LEADS_BACK, LINK, Folder, interpret

ADDRESS = SmbAddress("microscope-01", 445, "data", "/", "labuser", "secret", timeout_seconds=2)
WINDOWS_NAMES = st.lists(st.integers(1, 0xFFFF), min_size=1, max_size=12).map(
    lambda units: struct.pack(f"<{len(units)}H", *units).decode("utf-16-le", "surrogatepass")
)
SIZES = st.integers(0, 2**63 - 1)


def entry(name: str, *, folder: bool = False, link: bool = False, identity: int = 0) -> Entry:
    return Entry(name, 1, 0, folder, link, identity)


def packed(entries: list[Entry]) -> bytes:
    buffer = b""
    for number, item in enumerate(entries):
        name = item.name.encode("utf-16-le", "surrogatepass")
        padding = -(80 + len(name)) % 8
        step = 80 + len(name) + padding if number + 1 < len(entries) else 0
        attributes = (0x10 if item.is_folder else 0x80) | (0x400 if item.is_link else 0)
        tag = 0xA000000C if item.is_link else 0
        fixed = (step, 0, 0, 0, item.filetime, 0, item.size_bytes, 0, attributes, len(name), tag, 0, item.identity)
        buffer += struct.pack("<IIQQQQQQIIIIQ", *fixed) + name + b"\0" * padding
    return buffer


@given(
    st.lists(
        st.builds(Entry, WINDOWS_NAMES, SIZES, SIZES, st.booleans(), st.booleans(), st.integers(0, 2**64 - 1)),
        min_size=1,
        max_size=6,
    )
)
def test_entries_are_parsed_as_they_are_packed(entries: list[Entry]) -> None:
    assert list(parse_entries(packed(entries))) == entries


@given(st.binary(max_size=300))
def test_nonsense_for_a_listing_is_an_error_and_never_an_endless_loop(buffer: bytes) -> None:
    try:
        list(parse_entries(buffer))
    except errors.WIRE_ERRORS:
        return
    assert len(buffer) >= 80


@pytest.mark.parametrize(
    ("step", "length"),
    [(0, 10), (0, 0), (80, 8), (84, 8), (8, 8)],
    ids=["cut", "nameless", "no", "half", "overlap"],
)
def test_entries_that_overlap_or_lack_their_name_are_broken(step: int, length: int) -> None:
    fixed = struct.pack("<IIQQQQQQIIIIQ", step, 0, 0, 0, 0, 0, 0, 0, 0x80, length, 0, 0, 0)
    first = fixed + "scan".encode("utf-16-le")
    second = packed([entry("other.raw")]) if step else b""
    with pytest.raises(BrokenAnswer):
        list(parse_entries(first + second))


@given(WINDOWS_NAMES, WINDOWS_NAMES)
def test_names_are_shown_as_valid_text_and_no_two_alike(one: str, other: str) -> None:
    shown(one).encode("utf-8")
    assert "/" not in shown(one)
    assert (shown(one) == shown(other)) == (one == other)
    if is_askable(one):
        assert shown(one) == one


def test_names_that_can_not_be_asked_for_are_told_and_not_passed_over() -> None:
    listing, inner, unlisted = interpret(
        Folder("data", frozenset()),
        [entry("ok.raw"), entry("\ud800.raw"), entry("..\\up", folder=True), entry("run", folder=True)],
    )
    assert [(file.source_path, file.unreadable is None) for file in listing.files] == [
        ("data/ok.raw", True),
        (r"data/\ud800.raw", False),
    ]
    assert [folder.path for folder in inner] == ["data/run"]
    assert [(folder.folder, type(folder.problem)) for folder in unlisted] == [(r"data/..\x5cup", FileUnreadable)]


def test_links_and_folders_that_lead_back_are_not_entered_and_are_on_record() -> None:
    entries = [
        entry(".", folder=True, identity=7),
        entry("file", link=True),
        entry("junction", folder=True, link=True),
        entry("circle", folder=True, identity=7),
        entry("run", folder=True, identity=8),
    ]
    listing, inner, unlisted = interpret(Folder("data", frozenset({5})), entries)
    assert listing.files[0].unreadable == "it is a link, which is not followed"
    assert inner == [Folder("data/run", frozenset({5, 7}))]
    assert listing.folders == 3
    assert {folder.folder: str(folder.problem) for folder in unlisted} == {
        "data/junction": f"data/junction: {LINK}",
        "data/circle": f"data/circle: {LEADS_BACK}",
    }


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_a_size_that_no_file_has_is_an_entry_that_can_not_be_read(size: int) -> None:
    listing, _, _ = interpret(Folder("data", frozenset()), [entry("a.raw")._replace(size_bytes=size), entry("b.raw")])
    broken, sound = listing.files
    assert (broken.size_bytes, broken.unreadable) == (
        0,
        f"the server says that it is {size} bytes long, which no file is",
    )
    assert sound.unreadable is None


@pytest.mark.parametrize("ticks", [2**63, 2**64 - 1, 2_650_467_744_000_000_000])
def test_a_time_that_no_file_has_is_an_entry_that_can_not_be_read(ticks: int) -> None:
    listing, _, _ = interpret(Folder("data", frozenset()), [entry("a.raw")._replace(filetime=ticks)])
    assert listing.files[0].unreadable == f"the server says a time that no file has (FILETIME {ticks})"


def test_the_last_moment_of_the_year_9999_is_a_time_that_a_file_can_have() -> None:
    entries = [entry("a.raw")._replace(filetime=2_650_467_743_999_999_999)]
    listing, _, _ = interpret(Folder("data", frozenset()), entries)
    assert listing.files[0].unreadable is None


def test_names_longer_than_any_file_has_are_told_short_and_apart() -> None:
    entries = [entry("x" * 256), entry("x" * 257), entry("y" * 255), entry("z" * 9_000, folder=True)]
    listing, inner, unlisted = interpret(Folder("data", frozenset()), entries)
    assert [file.unreadable is None for file in listing.files] == [False, False, True]
    assert len({file.source_path for file in listing.files}) == 3
    assert inner == []
    assert "longer than 255" in str(unlisted[0].problem)
    assert max(len(path) for path in (*(file.source_path for file in listing.files), unlisted[0].folder)) < 300


def test_folders_deeper_than_is_allowed_are_not_entered_and_say_so() -> None:
    entries = [entry("run", folder=True)]
    _, inner, unlisted = interpret(Folder("data/1/2", frozenset()), entries, most_depth=2)
    assert inner == []
    assert str(unlisted[0].problem) == "data/1/2/run: it lies more than 2 folders deep (folder_depth)"


@pytest.mark.parametrize("identity", [0, 2**64 - 1])
def test_a_folder_that_the_server_can_not_number_is_no_link_to_the_one_above(identity: int) -> None:
    entries = [entry(".", folder=True, identity=identity), entry("run", folder=True, identity=identity)]
    _, inner, _ = interpret(Folder("data", frozenset()), entries)
    assert inner == [Folder("data/run", frozenset())]


@given(st.integers(0, 2**64 - 1))
def test_every_filetime_is_a_time_that_can_be_shown_in_every_zone(ticks: int) -> None:
    time = from_filetime(ticks)
    assert time.tzinfo is UTC
    assert datetime(1601, 1, 1, tzinfo=UTC) <= time <= datetime(9999, 12, 30, tzinfo=UTC)


def test_a_filetime_is_read_to_the_microsecond() -> None:
    assert from_filetime(133_485_408_001_234_567) == datetime(2024, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)


@pytest.mark.parametrize("table", [errors.CONNECTION, errors.SESSION, errors.TREE, errors.BASE_FOLDER, errors.FILE])
def test_every_sentence_can_be_said(table: dict[int, errors.Fault]) -> None:
    for fault in table.values():
        sentence = fault.sentence.format(server="S", account="A", share="X", base="/b", path="X/b/{c}")
        assert "S" in sentence


@pytest.mark.parametrize(
    ("wire_error", "words"),
    [
        (TimeoutError(), "microscope-01:445 does not answer (silent for 2 s)"),
        (OSError(113, "No route to host"), "microscope-01:445 does not answer (No route to host)"),
        (ValueError("nonsense"), "microscope-01:445 does not speak SMB 2 or 3 as expected (nonsense)"),
    ],
)
def test_an_error_without_a_status_means_that_the_server_is_unreachable(wire_error: Exception, words: str) -> None:
    error = errors.as_source_error(wire_error, errors.FILE, ADDRESS, "data/x")
    assert (type(error), str(error)) == (SourceUnreachable, words)


def test_being_let_in_as_a_guest_only_is_a_refusal() -> None:
    error = errors.as_source_error(SMBException("authenticated as a guest"), errors.SESSION, ADDRESS)
    assert type(error) is CredentialsRefused
