"""The home: its folders, and what is told when it can't be one."""

import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest

from streamweave.errors import StartError
from streamweave_cli.home import Home


def test_a_home_is_made_and_found_again(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "new" / "home")
    home.create()
    home.create()
    assert stat.S_IMODE(home.keys.stat().st_mode) == 0o700
    assert home.manifest.parent.is_dir()


def test_a_relative_home_is_where_we_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.at(Path(".streamweave")).root == tmp_path / ".streamweave"


@pytest.mark.parametrize("occupied", ["", "keys"])
def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path, occupied: str) -> None:
    path = tmp_path / "home" / occupied
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(StartError, match="is a file, and the home needs a folder there"):
        Home.at(tmp_path / "home").create()


def test_a_place_where_nothing_can_be_made_is_told() -> None:
    with pytest.raises(StartError, match="can't be made at"):
        Home.at(Path("/proc/streamweave")).create()


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path)
    home.create()

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))  # root may write everywhere but there

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(StartError, match="is not writable: Read-only file system"):
        home.create()


def test_only_one_supervisor_holds_a_home(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.create()
    lock = home.lock()
    with pytest.raises(StartError, match="in use by another"):
        home.lock()
    lock.release()
    home.lock().release()
