"""A setting with hardly any data, on a machine with nobody's programs but our own."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import programs
from benchmarks.setting import Setting


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """One round at a scale at which a harvest is over at once; rclone and smbclient are not to be found."""
    monkeypatch.setattr(programs, "SEARCH_PATH", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    return Setting(work, Console(quiet=True), rounds=1, scale=0.001)
