"""The command rebuild, as a person types it: what it prints, and what it exits with."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from streamweave.catalog.session import Sessions
from streamweave_cli.app import app


@pytest.fixture
def run(new_catalog: Sessions, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = new_catalog.kw["bind"].url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    monkeypatch.setenv("STREAMWEAVE_DAGSTER_URL", "http://127.0.0.1:1")
    return lambda *places: CliRunner().invoke(app, ["rebuild", *map(str, places)])


def test_it_says_what_is_to_be_entered_for_each_instrument(run: Any, bench: Any) -> None:
    bench.change(bench.instrument, cifs_base_path="/data")
    bench.write("microscope/data/a.dat", b"a")
    bench.harvest()
    result = run(bench.archive)
    assert result.exit_code == 0, result.output
    assert "archive: 1 file, 1 version, 1 copy came back" in result.stdout
    assert "microscope_01: disabled; enter its cifs_host and service_account_id" in result.stdout
    assert '(with "address_change": "same_files" in the same request)' in result.stdout
    assert "quiet_period_seconds, poll_interval_seconds" in result.stdout
    assert "(share microscope, base path /data)" in result.stdout
    assert "If the original system still runs, stop it" in result.stdout
    assert "(streamweave catalog new-identity) before an instrument is enabled" in result.stdout


def test_a_folder_that_is_missing_is_called_so(run: Any, tmp_path: Path) -> None:
    result = run(tmp_path / "none")
    assert (result.exit_code, result.stderr) == (
        2,
        f"place: {tmp_path / 'none'}: no such folder; is the disk mounted?\n",
    )


def test_what_could_not_be_read_is_named_and_exits_with_1(run: Any, bench: Any, tmp_path: Path) -> None:
    bench.write("microscope/a.dat", b"a")
    bench.harvest()
    shutil.move(bench.archive / ".streamweave/journal", tmp_path / "journal")
    result = run(bench.archive)
    assert result.exit_code == 1, result.output
    assert f"not read: {bench.archive}: no journal says what the files there are" in result.stdout
    assert "`streamweave verify`" in result.stdout
    shutil.move(tmp_path / "journal", bench.archive / ".streamweave/journal")
    again = run(bench.archive)
    assert again.exit_code == 0, again.output
    assert "archive: 1 file, 1 version, 1 copy came back" in again.stdout
