"""The commands as a person types them, against a real catalog, a real share and a real archive."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from simlab.shares import Share, available_kinds, serve
from streamweave.access.passwords import password_matches
from streamweave.access.users import user_by_email
from streamweave.catalog.session import Sessions
from streamweave_cli.app import app

KEY = Fernet.generate_key().decode()
NO_DAGSTER = "http://127.0.0.1:1"


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("STREAMWEAVE_DATABASE_URL", database_url)
    monkeypatch.setenv("STREAMWEAVE_ENCRYPTION_KEYS", KEY)
    monkeypatch.setenv("STREAMWEAVE_DAGSTER_URL", NO_DAGSTER)
    monkeypatch.setenv("STREAMWEAVE_STORAGE_ROOTS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def manifest_of(server: Any, archive: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        "service_accounts": [{"name": "simlab", "username": server.username, "password": server.password}],
        "storage_locations": [{"name": "Archive", "type": "posix", "base_path": str(archive)}],
        "instruments": [
            {
                "slug": "microscope_01",
                "name": "Microscope 01",
                "cifs_host": server.host,
                "cifs_port": server.port,
                "cifs_share": "microscope",
                "service_account": "simlab",
                "quiet_period_seconds": 1,
            }
        ],
        "schedules": [
            {"instrument": "microscope_01", "storage_location": "Archive", "cron_expression": "*/15 * * * *"}
        ],
    }


@pytest.mark.parametrize("kind", available_kinds())
def test_an_instrument_is_configured_from_a_file_and_harvested(run: Any, tmp_path: Path, kind: str) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.csv").write_text("time,value\n0,1.0\n1,2.0\n")
    with serve([Share("microscope", share)], kind=kind, work_folder=tmp_path / "server") as server:
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps(manifest_of(server, tmp_path / "archive")))
        assert run("configure", manifest).exit_code == 0
        first: Result = run("harvest", "microscope_01")
        again: Result = run("harvest", "microscope_01")

    assert first.exit_code == 0, first.output
    assert "1 archived" in first.output
    assert "1 of 1 files, 23 bytes of 23 bytes" in first.output
    assert "nothing to do" in again.output
    archived = tmp_path / "archive" / "Microscope 01" / "microscope" / "a.csv"
    assert archived.read_text() == "time,value\n0,1.0\n1,2.0\n"


def test_a_harvest_without_a_schedule_says_so_and_exits_with_1(run: Any, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (share / "a.csv").write_text("a")
    with serve([Share("microscope", share)], work_folder=tmp_path / "server") as server:
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps(manifest_of(server, tmp_path / "archive") | {"schedules": []}))
        assert run("configure", manifest).exit_code == 0
        results = [run("harvest", "microscope_01") for _ in range(2)]
    for result in results:
        print(result.output)
        assert result.exit_code == 1
        assert "no enabled schedule names a storage location" in result.output
        assert "1 settled" in result.output


def test_an_unknown_instrument_is_one_sentence_and_exit_2(run: Any) -> None:
    result = run("harvest", "nobody")
    assert (result.exit_code, result.stderr) == (2, "Instrument nobody not found\n")


def test_a_share_that_does_not_answer_is_one_sentence_and_exit_2(run: Any, tmp_path: Path) -> None:
    with serve([Share("microscope", tmp_path)], work_folder=tmp_path.with_name("server")) as server:
        manifest = tmp_path / "manifest.json"
        manifest.write_text(json.dumps(manifest_of(server, tmp_path / "archive")))
    assert run("configure", manifest).exit_code == 0

    result = run("harvest", "microscope_01")

    assert result.exit_code == 2
    assert "nothing answered as an SMB 2 or 3 server" in result.stderr
    assert result.stderr.count("\n") == 1


class Dagster(BaseHTTPRequestHandler):
    """Loads its code location whenever it is asked to."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        done = {"__typename": "WorkspaceLocationEntry", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        known = asked["variables"] == {"location": "streamweave"} and "reloadRepositoryLocation" in asked["query"]
        self.send_response(200 if known else 400)
        self.end_headers()
        self.wfile.write(json.dumps({"data": {"reloadRepositoryLocation": done}}).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_running_dagster_is_asked_to_load_what_was_entered(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}")
    with HTTPServer(("127.0.0.1", 0), Dagster) as server:
        Thread(target=server.handle_request).start()
        monkeypatch.setenv("STREAMWEAVE_DAGSTER_URL", f"http://127.0.0.1:{server.server_port}")
        assert run("configure", manifest).output == f"{manifest} is entered; Dagster has loaded it\n"


def test_without_a_dagster_it_is_said_when_it_will_show_what_was_entered(run: Any, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text("{}")
    result = run("configure", manifest)
    assert result.exit_code == 0
    assert f"{manifest} is entered; Dagster shows it when its code location is loaded next" in result.output


@pytest.mark.parametrize(("content", "problem"), [("{", "is not JSON"), ("[]", "must hold one JSON object")])
def test_a_broken_manifest_is_one_sentence_and_exit_2(run: Any, tmp_path: Path, content: str, problem: str) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    result = run("configure", manifest)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_the_first_admin_gets_a_password_that_is_shown_once(run: Any) -> None:
    first = run("create-admin", "--email", "admin@test.org")
    again = run("create-admin", "--email", "admin@test.org")
    assert "(shown this once)" in first.output
    assert again.exit_code == 0
    assert "admin admin@test.org exists; the password is unchanged" in again.output


def test_the_password_of_an_existing_admin_is_set_on_request_only(run: Any, sessions: Sessions) -> None:
    def fits(password: str) -> bool:
        with sessions() as session:
            user = user_by_email(session, "admin@test.org")
            assert user is not None
            return password_matches(password, user.password_hash)

    run("create-admin", "--email", "admin@test.org", "--password", "the first password")
    unchanged = run("create-admin", "--email", "admin@test.org", "--password", "the second password")
    assert "unchanged" in unchanged.output
    assert fits("the first password")
    reset = run("create-admin", "--email", "admin@test.org", "--password", "the second password", "--reset-password")
    assert reset.output == "admin admin@test.org, password set\n"
    assert fits("the second password")
    unknown = run("create-admin", "--email", "nobody@test.org", "--reset-password")
    assert (unknown.exit_code, unknown.stderr) == (2, "User nobody@test.org not found\n")


def test_migrate_tells_the_schema(run: Any) -> None:
    assert run("migrate").output.startswith("the catalog has schema 0")


def test_without_a_catalog_a_command_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMWEAVE_DATABASE_URL", raising=False)
    result = CliRunner().invoke(app, ["harvest", "microscope_01", "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "streamweave up" in result.stderr
