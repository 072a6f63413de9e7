"""`streamweave up`, as far as it refuses: one sentence on standard error, exit code 2, nothing left running."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from streamweave_cli.app import app
from streamweave_cli.home import Home
from streamweave_cli.readiness import free_port


def up(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["up", *arguments], env=environment)


@pytest.mark.parametrize("flag", ["--api-port", "--dagster-port"])
def test_a_taken_port_is_told_with_its_flag(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        port = rival.getsockname()[1]
        others = {"--api-port", "--dagster-port"} - {flag}
        result = up("--home", str(tmp_path / "home"), flag, str(port), *others, "0")
    assert result.exit_code == 2
    assert result.stderr == f"port {port} is taken: choose another one with {flag} (0 takes a free one)\n"
    assert not (tmp_path / "home").exists()


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    result = up("--home", str(tmp_path / "home"), "--api-port", "0", "--dagster-port", "0")
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path / 'home'} is a file, and the home needs a folder there\n"


def test_a_home_in_use_is_told(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.create()
    lock = home.lock()
    result = up("--home", str(tmp_path), "--api-port", "0", "--dagster-port", "0")
    lock.release()
    assert result.exit_code == 2
    assert "in use by another `streamweave up`" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_value_of_the_environment_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    result = up("--home", str(tmp_path), environment={"STREAMWEAVE_DATABASE_URL": "mysql://nowhere"})
    assert result.exit_code == 2
    assert result.stderr.startswith("STREAMWEAVE_DATABASE_URL: ")


@pytest.mark.parametrize(
    ("roots", "sentence"),
    [
        ("relative", "must be absolute paths without '..', and these are not: relative"),
        ("/etc", "/etc is no place for a storage location, because of /etc (a system folder): choose a folder that is"),
        ("/usr/share/archive", "/usr/share/archive is no place for a storage location, because of /usr (a system fold"),
    ],
)
def test_storage_roots_that_cannot_be_used_are_told(tmp_path: Path, roots: str, sentence: str) -> None:
    ports = ("--api-port", "0", "--dagster-port", "0")
    result = up("--home", str(tmp_path / "home"), *ports, environment={"STREAMWEAVE_STORAGE_ROOTS": roots})
    assert result.exit_code == 2
    assert result.stderr.startswith(f"STREAMWEAVE_STORAGE_ROOTS: {sentence}")
    assert not (tmp_path / "home").exists()


def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{free_port()}/streamweave"
    ports = ("--api-port", "0", "--dagster-port", "0")
    result = up("--home", str(tmp_path), *ports, environment={"STREAMWEAVE_DATABASE_URL": url})
    assert result.exit_code == 2
    assert "can't be reached" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "hidden" not in result.stderr + result.stdout


def test_the_wrong_key_is_told_and_the_database_is_stopped(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    home.create()
    (home.keys / "encryption").write_text("nonsense\n")
    result = up("--home", str(tmp_path), "--api-port", "0", "--dagster-port", "0")
    assert result.exit_code == 2
    assert "holds no valid Fernet key" in result.stderr
    again = up("--home", str(tmp_path), "--api-port", "0", "--dagster-port", "0")
    assert "holds no valid Fernet key" in again.stderr
