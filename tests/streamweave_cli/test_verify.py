"""The command verify, as a person types it: what it prints, and what it exits with."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func
from typer.testing import CliRunner

from streamweave.catalog.tables import Readoption
from streamweave_cli.app import app


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["verify", *words])


@pytest.fixture
def copies(bench: Any) -> Path:
    """The folder of the archive that holds three copies."""
    for name in ("a", "b", "[red]c"):
        bench.write(f"microscope/{name}.csv", b"0123456789")
    bench.harvest()
    return Path(bench.archive / "Microscope 01" / "microscope")


def damage(copies: Path) -> None:
    copy = copies / "[red]c.csv"
    copy.chmod(0o644)
    copy.write_bytes(b"0123456780")
    (copies / "stray.csv").write_bytes(b"whose?")


def test_an_archive_that_agrees_with_the_catalog_exits_with_0(run: Any, copies: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "archive and catalog agree" in result.stdout


def test_differences_are_listed_and_exit_with_1(run: Any, copies: Path) -> None:
    damage(copies)
    result = run("archive")
    assert result.exit_code == 1
    assert f"other bytes: {copies}/[red]c.csv (microscope/[red]c.csv): 10 bytes with SHA-256" in result.stdout
    assert f"bytes without row: {copies}/stray.csv\n" in result.stdout


def test_what_journals_and_catalog_say_differently_is_named(run: Any, copies: Path, bench: Any) -> None:
    found = {"files": 0, "versions": 0, "copies": 0, "illegible": 1, "conflicts": ["share/a: has two identifiers"]}
    bench.add(Readoption(storage_location_id=bench.location.id, read_at=func.now(), **found))
    shown = run("--quick")
    assert shown.exit_code == 0, shown.output
    assert "journal and catalog differ: share/a: has two identifiers" in shown.stdout
    (location,) = json.loads(run("--quick", "--json").stdout)["locations"]
    assert (location["journal_conflicts"], location["illegible_journal_lines"]) == (found["conflicts"], 1)


def test_the_report_as_json(run: Any, copies: Path) -> None:
    damage(copies)
    told = json.loads(run("--json").stdout)
    (location,) = told["locations"]
    assert (told["quick"], told["differences"], location["copies"]) == (False, 2, 3)
    assert [(each["kind"], each["source_path"]) for each in location["named"]] == [
        ("stray", None),
        ("damaged", "microscope/[red]c.csv"),
    ]


def test_a_quick_look_does_not_hash(run: Any, copies: Path) -> None:
    damage(copies)
    (copies / "stray.csv").unlink()
    assert run("--quick").exit_code == 0


def test_a_location_that_can_not_be_compared_exits_with_2(run: Any, bench: Any, copies: Path) -> None:
    bench.archive.rename(bench.archive.with_name("unmounted"))
    result = run()
    assert result.exit_code == 2
    assert "Is the disk mounted?" in result.stdout


def test_a_disabled_location_that_is_away_makes_no_difference_unless_it_is_named(
    run: Any, bench: Any, copies: Path
) -> None:
    bench.change(bench.location, enabled=False)
    bench.archive.rename(bench.archive.with_name("unmounted"))
    result = run()
    assert result.exit_code == 0, result.output
    assert "Is the disk mounted?" in result.stdout
    assert run("archive").exit_code == 2


def test_an_unknown_location_is_one_sentence_and_exits_with_2(run: Any, copies: Path) -> None:
    result = run("nowhere")
    assert (result.exit_code, result.stderr) == (2, "Storage location nowhere not found; known: archive\n")


def test_a_location_outside_of_the_storage_roots_says_so_and_makes_no_difference(
    run: Any, copies: Path, bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STREAMWEAVE_STORAGE_ROOTS", str(tmp_path / "elsewhere"))
    result = run()
    assert result.exit_code == 0, result.output
    notice = f"{bench.archive} lies outside of the storage roots"
    assert f"archive: {notice}" in result.stdout
    [location] = json.loads(run("--json").stdout)["locations"]
    assert location["notice"].startswith(notice)
    monkeypatch.setenv("STREAMWEAVE_STORAGE_ROOTS", str(tmp_path))
    assert "storage roots" not in run().stdout
