"""What each scenario does to a share; how a harvest takes it is shown in tests/streamweave/crash."""

import os
import signal
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import smbclient

from simlab.errors import NothingToSpoilError, UnknownScenarioError
from simlab.faults import SCENARIOS, SHARE, Stage, scenario_called, sentence_of, set_stage
from simlab.faults.files import CROWDED, FOLDER, NAMES, crowd

FIRST = "scan_00.csv"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    (folder := tmp_path / "share").mkdir()
    for number in range(20):
        (folder / f"scan_{number:02}.csv").write_bytes(b"%d," % number * 10)
    (folder / "stack.raw").write_bytes(bytes(4 << 20))
    with set_stage(folder, tmp_path / "samba") as stage:
        yield stage


@pytest.fixture
def names(stage: Stage, client_of: Callable[..., Any]) -> Callable[[], set[str]]:
    """What a client sees on the share now, over a connection of its own."""
    return lambda: client_of(stage).names_in(SHARE)


def test_every_scenario_has_a_name_and_a_sentence() -> None:
    assert all(scenario_called(name) is scenario for name, scenario in SCENARIOS.items())
    assert all(sentence_of(scenario).endswith((".", "stay.")) for scenario in SCENARIOS.values())
    with pytest.raises(UnknownScenarioError, match="lists them"):
        scenario_called("explodes")


def test_a_server_freezes_and_thaws(stage: Stage, names: Callable[[], set[str]]) -> None:
    deadline = time.monotonic() + 20
    with SCENARIOS["freezes"](stage):
        while psutil.Process(stage.pid).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert FIRST in names()


@pytest.mark.parametrize("name", ["freezes-during-copy", "drops-mid-file", "deletes-during-copy"])
def test_what_happens_during_a_copy_waits_for_it(stage: Stage, names: Callable[[], set[str]], name: str) -> None:
    with SCENARIOS[name](stage):
        assert names() == {path.name for path in stage.files()}


def test_a_file_is_deleted_when_half_of_it_has_passed(stage: Stage, client_of: Callable[..., Any]) -> None:
    with SCENARIOS["deletes-during-copy"](stage):
        assert client_of(stage).read(SHARE, "stack.raw") == bytes(4 << 20)
    assert not (stage.folder / "stack.raw").exists()


def test_a_share_vanishes_and_comes_back(stage: Stage, names: Callable[[], set[str]]) -> None:
    with SCENARIOS["vanishes"](stage), pytest.raises(Exception, match=r"STATUS_|0xc0"):
        names()
    assert FIRST in names()


@pytest.mark.parametrize(("name", "left"), [("comes-back-empty", set()), ("comes-back-shrunken", {10, 20, 0})])
def test_most_files_are_away_for_a_while(
    stage: Stage, names: Callable[[], set[str]], name: str, left: set[int]
) -> None:
    before = [path.name for path in stage.files()]
    with SCENARIOS[name](stage):
        assert names() == {before[number] for number in left}
    assert names() == set(before)


def test_a_content_is_swapped_and_nothing_shows_it(stage: Stage) -> None:
    file = stage.folder / FIRST
    content, shown = file.read_bytes(), file.stat()
    with SCENARIOS["swaps-a-content"](stage):
        pass
    assert file.read_bytes() != content
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (shown.st_size, shown.st_mtime_ns)


@pytest.mark.parametrize(("name", "shares"), [("holds-a-file-open", True), ("locks-a-file", False)])
def test_an_instrument_holds_a_file_open_over_smb(stage: Stage, name: str, shares: bool) -> None:
    with SCENARIOS[name](stage):
        if shares:
            assert read_beside_a_writer(stage, FIRST)
        else:
            with pytest.raises(OSError, match="being used by another process"):
                read_beside_a_writer(stage, FIRST)
    assert read_beside_a_writer(stage, FIRST)


def read_beside_a_writer(stage: Stage, name: str) -> bytes:
    way = {"port": stage.port, "username": stage.username, "password": stage.password, "connection_cache": {}}
    path = rf"\\{stage.host}\{SHARE}\{name}"
    with smbclient.open_file(path, mode="rb", share_access="rwd", **way) as file:
        return bytes(file.read())


def test_clocks_are_wrong(stage: Stage) -> None:
    with SCENARIOS["clock-jumps"](stage):
        pass
    times = [file.stat().st_mtime for file in stage.files()]
    assert max(times) - min(times) > 300_000 * 3_600


def test_hard_names_stand_on_the_share_and_none_is_hidden(stage: Stage) -> None:
    with SCENARIOS["hard-names"](stage):
        pass
    twins = [name for name in NAMES if unicodedata.normalize("NFC", name) == "Zürich.csv"]
    assert len(twins) == 2
    assert all((stage.folder / FOLDER / name).is_file() for name in NAMES)
    served = smbclient.listdir(
        rf"\\{stage.host}\{SHARE}\{FOLDER}",
        port=stage.port,
        username=stage.username,
        password=stage.password,
        connection_cache={},
    )
    assert len(served) == len(os.listdir(stage.folder / FOLDER))


def test_a_folder_gets_crowded(stage: Stage) -> None:
    crowd(stage.folder, 50)
    assert len(list((stage.folder / CROWDED).iterdir())) == 50


def test_a_fault_needs_something_to_spoil(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    with (
        set_stage(tmp_path / "share", tmp_path / "samba") as stage,
        pytest.raises(NothingToSpoilError, match="no files"),
        SCENARIOS["swaps-a-content"](stage),
    ):
        pass


def test_a_stage_that_is_left_frozen_is_cleared_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    with set_stage(tmp_path / "share", tmp_path / "samba") as stage:
        os.killpg(stage.pid, signal.SIGSTOP)
    assert not psutil.pid_exists(stage.pid)
