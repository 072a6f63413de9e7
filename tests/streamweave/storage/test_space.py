"""How much room is left is asked of the real file system."""

import os
import threading
from pathlib import Path

import pytest

from streamweave.alerts import storage_conditions
from streamweave.alerts.storage_conditions import Space, space_at
from streamweave.storage import marking


def test_the_room_is_that_of_the_file_system(tmp_path: Path) -> None:
    found = space_at(str(tmp_path))
    assert found is not None
    assert 0 <= found.free <= found.total
    assert found.total > 0


def test_of_a_place_that_is_not_there_nothing_is_known(tmp_path: Path) -> None:
    assert space_at(str(tmp_path / "not mounted")) is None


def test_a_file_system_that_does_not_answer_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network mount does whose server is gone; the next to ask doesn't wait beside the first."""
    server_is_back, asked = threading.Event(), []

    def hang(path: str) -> os.statvfs_result:
        asked.append(path)
        server_is_back.wait(30)
        raise OSError

    monkeypatch.setattr(marking, "ANSWERS_WITHIN_SECONDS", 0.05)
    monkeypatch.setattr(storage_conditions.os, "statvfs", hang)
    assert space_at(str(tmp_path)) is None
    assert space_at(str(tmp_path)) is None
    assert asked == [str(tmp_path)]
    monkeypatch.undo()
    server_is_back.set()
    marking._asked[f"space at {tmp_path}"][0].exception(30)
    assert isinstance(space_at(str(tmp_path)), Space)
