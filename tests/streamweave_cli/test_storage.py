"""The commands storage and catalog, as a person types them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from typer.testing import CliRunner

from streamweave.catalog.schema import catalog_id
from streamweave.catalog.tables import AuditEntry
from streamweave.errors import StorageRefused
from streamweave_cli.app import app


@pytest.fixture
def run(bench: Any, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *words, **more: CliRunner().invoke(app, list(words), **more)


def audited(bench: Any) -> list[tuple[str, str, str | None]]:
    with bench.facility.sessions() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.at))
        return [(each.entity_type, each.action, each.actor_email) for each in entries]


def test_the_list_shows_each_place_and_exits_with_0_when_all_are_found(bench: Any, run: Any) -> None:
    result = run("storage", "list")
    assert result.exit_code == 0, result.output
    with bench.facility.sessions() as session:
        assert f"catalog {catalog_id(session)}" in result.stdout
    assert str(bench.archive) in result.stdout
    assert "found" in result.stdout


def test_the_list_cuts_no_path_and_speaks_json(bench: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert str(bench.archive) in run("storage", "list").stdout
    listed = json.loads(run("storage", "list", "--json").stdout)
    [location] = listed["locations"]
    assert (location["name"], location["base_path"], location["refusal"]) == ("archive", str(bench.archive), None)


def test_the_list_says_why_a_place_is_refused_and_exits_with_1(bench: Any, run: Any) -> None:
    shutil.rmtree(bench.archive)
    bench.archive.mkdir()
    result = run("storage", "list")
    assert result.exit_code == 1
    assert "no mark (.streamweave/location). Is the disk mounted?" in result.stdout
    assert list(bench.archive.iterdir()) == []


def test_a_folder_that_is_missing_is_called_so_and_not_to_be_adopted(bench: Any, run: Any) -> None:
    shutil.rmtree(bench.archive)
    assert f"{bench.archive} is not there. Is the disk mounted?" in run("storage", "list").stdout
    with pytest.raises(StorageRefused) as refused:
        bench.facility.open_marked(bench.location)
    assert str(refused.value) == f"{bench.archive} is not there. Is the disk mounted?"


def test_exchanged_disks_are_to_be_mounted_at_their_places_first(bench: Any, run: Any, tmp_path: Path) -> None:
    bench.add_location("second", tmp_path / "second")
    shutil.copy(tmp_path / "second/.streamweave/location", bench.archive / ".streamweave/location")
    with pytest.raises(StorageRefused, match=r"Mount each disk at its place\. Only if that place is given up, take"):
        bench.facility.open_marked(bench.location)


def test_there_is_nothing_to_adopt_at_a_place_that_has_its_mark(run: Any) -> None:
    result = run("storage", "adopt", "archive")
    assert result.exit_code == 0
    assert result.stdout.endswith("its own mark; there is nothing to take over\n")


def test_a_place_is_adopted_after_it_was_shown_and_somebody_said_yes(bench: Any, run: Any) -> None:
    renewed = run("catalog", "new-identity", "--yes")
    assert renewed.exit_code == 0, renewed.output
    assert run("catalog", "identity").stdout.strip() in renewed.stdout
    before = bench.archive.joinpath(".streamweave/location").read_bytes()

    declined = run("storage", "adopt", "archive", input="n\n")
    assert declined.exit_code == 1
    assert "belongs to another catalog" in declined.stdout
    assert "is refused here from now on" in declined.stdout
    assert bench.archive.joinpath(".streamweave/location").read_bytes() == before

    assert run("storage", "adopt", "archive", "--yes").exit_code == 0
    assert run("storage", "list").exit_code == 0
    assert audited(bench) == [
        ("catalog_identity", "update", "streamweave catalog (command line)"),
        ("storage_locations", "update", "streamweave storage (command line)"),
    ]


def test_a_location_that_does_not_exist_is_told_as_such(run: Any) -> None:
    result = run("storage", "adopt", "nowhere", "--yes")
    assert result.exit_code == 2
    assert result.stderr == "Storage location nowhere not found; known: archive\n"
    assert "did you mean archive?" in run("storage", "adopt", "archiv", "--yes").stderr
