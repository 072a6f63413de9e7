"""`streamweave backup` and `streamweave restore`, with a home of their own and the embedded server."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from streamweave.catalog.session import catalog_sessions, open_catalog
from streamweave.catalog.tables import Instrument, StorageLocation
from streamweave.catalog.tables.base import uuid7
from streamweave.settings import Settings
from streamweave.storage.marking import mark_new_place
from streamweave.storage.opening import open_storage
from streamweave_cli.app import app
from streamweave_cli.databases import CATALOG, prepare_catalog
from streamweave_cli.home import Home
from streamweave_cli.postgres import EmbeddedPostgres

runner = CliRunner()


@pytest.fixture(autouse=True)
def no_catalog_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMWEAVE_DATABASE_URL", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that was started once, with an instrument and a storage location."""
    home = Home.at(tmp_path / "home")
    home.create()
    with EmbeddedPostgres(home.postgres) as postgres:
        prepare_catalog(postgres.url(CATALOG), home, Settings(home=home.root), lambda _: None)
        enter(postgres.url(CATALOG), "before", tmp_path / "archive")
    return home


def enter(url: str, slug: str, archive: Path | None = None) -> None:
    with open_catalog(url) as engine, catalog_sessions(engine).begin() as session:
        session.add(Instrument(slug=slug, name=slug, archive_folder=slug, cifs_host="m", cifs_share="share"))
        if archive:
            location = StorageLocation(id=uuid7(), name="Archive", type="posix", base_path=str(archive))
            location.connection_config = {}
            mark_new_place(session, open_storage(location), location)
            session.add(location)


def instruments(home: Home) -> list[str]:
    with EmbeddedPostgres(home.postgres) as postgres, open_catalog(postgres.url(CATALOG)) as engine:
        return list(catalog_sessions(engine)().scalars(select(Instrument.slug).order_by(Instrument.slug)))


def test_a_home_is_backed_up_and_restored(home: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backups/first"
    done = runner.invoke(app, ["backup", str(backup), "--home", str(home.root)])
    assert done.exit_code == 0, done.output
    assert "read back whole" in done.output
    assert "keys that open all stored passwords" in " ".join(done.output.split())
    assert "archive and catalog agree" in done.output
    assert json.loads((backup / "backup.json").read_text())["streamweave_backup"] == 1
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"catalog.dump", "dagster.dump", "encryption", "signing", "certificates"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700

    keys = (home.keys / "encryption").read_text()
    with EmbeddedPostgres(home.postgres) as postgres:
        enter(postgres.url(CATALOG), "later")
    refused = runner.invoke(app, ["restore", str(backup), "--home", str(home.root)])
    assert (refused.exit_code, instruments(home)) == (2, ["before", "later"])
    assert "is not empty" in refused.output
    restored = runner.invoke(app, ["restore", str(backup), "--home", str(home.root), "--replace"])
    assert restored.exit_code == 0, restored.output
    assert "archive and catalog agree" in restored.output
    assert instruments(home) == ["before"]
    assert (home.keys / "encryption").read_text() == keys
    assert [path.name for path in home.root.glob("replaced-*/*")]

    elsewhere = Home.at(tmp_path / "another home")
    assert runner.invoke(app, ["restore", str(backup), "--home", str(elsewhere.root)]).exit_code == 0
    assert instruments(elsewhere) == ["before"]


def test_a_backup_never_takes_the_place_of_another(home: Home, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    refused = runner.invoke(app, ["backup", str(tmp_path / "taken"), "--home", str(home.root)])
    assert refused.exit_code == 2
    assert "exists already" in refused.output


@pytest.mark.parametrize("inside", ["keys/x", "storage/x", "new", "."])
def test_a_backup_inside_its_own_home_is_refused_before_anything_is_written(home: Home, inside: str) -> None:
    before = sorted(path for path in home.root.rglob("*") if home.postgres not in path.parents)
    refused = runner.invoke(app, ["backup", str(home.root / inside), "--home", str(home.root)])
    assert refused.exit_code == 2
    assert f"lies in the home {home.root}: name one outside of it" in refused.output
    assert sorted(path for path in home.root.rglob("*") if home.postgres not in path.parents) == before


def test_what_an_earlier_backup_left_behind_breaks_no_later_one(home: Home, tmp_path: Path) -> None:
    for leftover in (home.keys / "x.incomplete", tmp_path / "monday.incomplete"):
        (leftover / "keys").mkdir(parents=True)
    done = runner.invoke(app, ["backup", str(tmp_path / "monday"), "--home", str(home.root)])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "monday.incomplete").exists()


def test_a_backup_without_a_name_is_refused(home: Home) -> None:
    refused = runner.invoke(app, ["backup", "", "--home", str(home.root)])
    assert (refused.exit_code, refused.output) == (2, "folder: name one\n")


def test_what_is_no_backup_is_not_restored(home: Home, tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    refused = runner.invoke(app, ["restore", str(tmp_path / "something"), "--home", str(home.root), "--replace"])
    assert refused.exit_code == 2
    assert "is no backup" in refused.output
    assert instruments(home) == ["before"]


def test_a_mistyped_backup_makes_no_home(tmp_path: Path) -> None:
    refused = runner.invoke(app, ["restore", str(tmp_path / "mistyped"), "--home", str(tmp_path / "new")])
    assert refused.exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_backup_names_the_storage_locations_and_exits_with_1_when_one_is_missing(home: Home, tmp_path: Path) -> None:
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    done = runner.invoke(app, ["backup", str(tmp_path / "backup"), "--home", str(home.root)])
    assert f"  Archive: {tmp_path / 'archive'}\n" in done.output
    assert done.exit_code == 1
    assert "the backup is made, but it could not be compared with the whole archive" in done.stderr
    assert (tmp_path / "backup/backup.json").exists()
    restored = runner.invoke(app, ["restore", str(tmp_path / "backup"), "--home", str(home.root), "--replace"])
    assert restored.exit_code == 1
    assert "the backup is restored, but" in restored.stderr


def test_a_restored_copy_may_run_beside_the_original(home: Home, tmp_path: Path) -> None:
    """Each end of a practice restore: with an identity of its own from the start, or given one while it is stopped."""
    assert runner.invoke(app, ["backup", str(tmp_path / "backup"), "--home", str(home.root)]).exit_code == 0
    identity = runner.invoke(app, ["catalog", "identity", "--home", str(home.root)]).output.strip()

    own = tmp_path / "own"
    restored = runner.invoke(app, ["restore", str(tmp_path / "backup"), "--home", str(own), "--new-identity"])
    assert restored.exit_code == 0, restored.output
    assert "it is refused by all its storage locations" in restored.output
    assert f"start it: streamweave up --home '{own}'" in restored.output
    assert runner.invoke(app, ["catalog", "identity", "--home", str(own)]).output.strip() != identity

    same = tmp_path / "same"
    restored = runner.invoke(app, ["restore", str(tmp_path / "backup"), "--home", str(same)])
    command = f"streamweave catalog new-identity --home '{same}'"
    assert "If the original system still runs, stop it" in restored.output
    assert command in restored.output
    assert runner.invoke(app, ["catalog", "identity", "--home", str(same)]).output.strip() == identity
    assert runner.invoke(app, ["catalog", "new-identity", "--home", str(same), "--yes"]).exit_code == 0
    assert runner.invoke(app, ["catalog", "identity", "--home", str(same)]).output.strip() != identity


def test_a_home_that_is_in_use_is_not_restored_into(home: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    about = {"streamweave_backup": 1, "made_at": "2026-11-29T01:00:00+00:00", "catalog_id": "x", "schema": "x"}
    (backup / "backup.json").write_text(json.dumps(about))
    with home.lock():
        refused = runner.invoke(app, ["restore", str(backup), "--home", str(home.root), "--replace"])
    assert refused.exit_code == 2
    assert "in use" in refused.output


def test_a_home_without_databases_has_nothing_to_back_up(tmp_path: Path) -> None:
    refused = runner.invoke(app, ["backup", str(tmp_path / "b"), "--home", str(tmp_path / "none")])
    assert refused.exit_code == 2
    assert "has no databases" in refused.output
