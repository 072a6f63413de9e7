"""A share whose server makes up names for ever costs bounded memory and time, and says what could not be listed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from simlab.shares import Share, ShareServer, serve
from streamweave.errors import FolderBeyondLimits
from streamweave.instruments.connection_test import ShareRefusal, list_base_folder
from streamweave.sources.base import FolderListing, ListingLimits
from streamweave.sources.smb import SmbAddress, SmbSource

SHARE, TRAP = "microscope", "microscope/trap"
MEBIBYTE = 1 << 20
LIMITS = {"entries": 300_000}
LISTINGS_AT_MOST = 1_000

ServerWith = Callable[[str], ShareServer]


@pytest.fixture
def server_with(tmp_path: Path) -> Iterator[ServerWith]:
    """A server whose listings are as hostile as a behaviour of ``simlab.shares.hostile``."""
    (tmp_path / SHARE).mkdir()
    (tmp_path / SHARE / "real.csv").write_bytes(b"time,value\n")
    with ExitStack() as running:

        def start(behaviour: str) -> ShareServer:
            share, work = Share(SHARE, tmp_path / SHARE), tmp_path / "server"
            options = {"behaviour": behaviour}
            return running.enter_context(serve([share], kind="impacket", work_folder=work, options=options))

        yield start


def address(server: ShareServer, **changes: Any) -> dict[str, Any]:
    login = {"username": server.username, "password": server.password}
    where = {"host": server.host, "port": server.port, "share": SHARE, "base_path": "/", "timeout_seconds": 60}
    return {**where, **login, **changes}


def problems(server: ShareServer, **limits: Any) -> dict[str, str]:
    """Why which folders could not be listed."""
    source = SmbSource(SmbAddress(**address(server), limits=ListingLimits(**limits)))
    try:
        return {each.folder: str(each.problem) for each in source.listings() if each.problem}
    finally:
        source.close()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("endless-folder", "microscope/trap: it holds more than 300,000 files and folders (folder_entries)"),
        ("repeated-names", "microscope/trap: it holds more than 300,000 files and folders (folder_entries)"),
        ("endless-folders", "it lies more than 128 folders deep (folder_depth)"),
        ("endless-nesting", "it lies more than 128 folders deep (folder_depth)"),
        ("huge-names", "its name is longer than 255 characters"),
        ("silent-listing", "microscope/trap: the server was asked for it and gave no answer"),
    ],
)
def test_a_hostile_share_costs_less_than_100_mib_and_what_was_not_listed_is_named(
    server_with: ServerWith, behaviour: str, reason: str
) -> None:
    patience = 5 if behaviour == "silent-listing" else 60
    asked = json.dumps(address(server_with(behaviour), limits=LIMITS, timeout_seconds=patience))
    process = Path(__file__).with_name("listing_process.py")
    ran = subprocess.run(
        [sys.executable, str(process), asked, str(LISTINGS_AT_MOST)], capture_output=True, text=True, check=True
    )
    told = json.loads(ran.stdout)
    assert told["grown"] < 100 * MEBIBYTE
    assert told["unlisted"] >= 1
    assert any(reason in why for why in told["first"].values())
    assert 1 <= told["files"] <= 2, "of a folder that is given up no file is told"


def test_files_beside_sizes_that_no_file_has_are_told_as_they_are(server_with: ServerWith) -> None:
    source = SmbSource(SmbAddress(**address(server_with("impossible-sizes"))))
    files = {file.source_path: file for listing in source.listings() for file in listing.files}
    source.close()
    assert {path for path, file in files.items() if file.unreadable is None} == {"microscope/real.csv"}
    assert files["microscope/size_2_64.raw"].unreadable == (
        "the server says that it is 18446744073709551615 bytes long, which no file is"
    )


def test_folders_beyond_so_many_are_not_listed_and_the_one_that_holds_them_says_so(server_with: ServerWith) -> None:
    told = problems(server_with("endless-folders"), folders=450)
    assert told[f"{TRAP}/run_000"] == (
        f"{TRAP}/run_000: the folders in it were too many to be listed, the share has more than 450 (folders)"
    )
    assert len(told) == 400


def test_a_folder_that_takes_too_long_is_one_that_could_not_be_listed(server_with: ServerWith) -> None:
    told = problems(server_with("endless-folder"), seconds=0.5)
    assert list(told) == [TRAP]
    assert "it could not be listed within 0.5 s" in told[TRAP]


def test_a_base_folder_without_end_fails_the_listing(server_with: ServerWith) -> None:
    source = SmbSource(
        SmbAddress(**address(server_with("endless-folder"), base_path="/trap"), limits=ListingLimits(entries=5_000))
    )
    with pytest.raises(FolderBeyondLimits, match="more than 5,000"):
        list(source.listings())
    source.close()


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("endless-folder", "answers, but what was asked of it did not end in the time that it had"),
        ("silent-listing", "does not answer"),
    ],
)
def test_a_connection_test_ends_by_its_deadline_with_a_sentence(
    server_with: ServerWith, behaviour: str, sentence: str
) -> None:
    beyond_reach = ListingLimits(entries=10**9)  # a fast machine lists two million names before the deadline
    given = address(server_with(behaviour), base_path="/trap", timeout_seconds=2, limits=beyond_reach)
    refusal = list_base_folder(lambda: SmbSource(SmbAddress(**given, deadline=monotonic() + 4)))
    assert isinstance(refusal, ShareRefusal)
    assert refusal.error_kind == "source_unreachable"
    assert sentence in refusal.detail


def test_a_connection_test_counts_a_large_base_folder_as_a_whole() -> None:
    class Large:
        def listings(self) -> Iterator[FolderListing]:
            yield FolderListing("share", (), folders=3, ends=False)
            yield FolderListing("share/x", (), FolderBeyondLimits("share/x: too deep"))
            yield FolderListing("share", (), folders=4, begins=False)
            pytest.fail("nothing below it is listed")

        def close(self) -> None: ...

    source: Any = Large()
    answer = list_base_folder(lambda: source)
    assert not isinstance(answer, ShareRefusal)
    assert (answer.files, answer.folders) == (0, 7)
