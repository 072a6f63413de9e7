"""`streamweave certify` as a facility manager types it, over a real share."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from typer.testing import CliRunner

from simlab.shares import Share, available_kinds, serve
from streamweave_cli.app import app

FILE = "microscope/run 1/a.csv"


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    environment = {"DATABASE_URL": database_url, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    for name, value in {
        **environment,
        "DAGSTER_URL": "http://127.0.0.1:1",
        "CERTIFICATE_KEY": "5f" * 32,
        "STORAGE_ROOTS": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"STREAMWEAVE_{name}", value)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture
def share(run: Any, tmp_path: Path) -> Iterator[Path]:
    """A share with one file that was harvested, and looked at once more."""
    share = tmp_path / "share"
    (share / "run 1").mkdir(parents=True)
    (share / "run 1" / "a.csv").write_text("time,value\n0,1.0\n1,2.0\n")
    with serve([Share("microscope", share)], kind=available_kinds()[0], work_folder=tmp_path / "server") as server:
        address = {"cifs_host": server.host, "cifs_port": server.port, "cifs_share": "microscope"}
        instrument = {"slug": "microscope_01", "name": "Microscope 01", "service_account": "simlab", **address}
        schedule = {"instrument": "microscope_01", "storage_location": "Archive", "cron_expression": "0 * * * *"}
        manifest = {
            "service_accounts": [{"name": "simlab", "username": server.username, "password": server.password}],
            "storage_locations": [{"name": "Archive", "type": "posix", "base_path": str(tmp_path / "archive")}],
            "instruments": [{**instrument, "quiet_period_seconds": 1}],
            "schedules": [schedule],
        }
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        for words in (["configure", tmp_path / "manifest.json"], *[["harvest", "microscope_01"]] * 2):
            assert run(*words).exit_code == 0
        yield share


def test_a_folder_is_certified_and_the_paper_can_be_checked_by_anybody(run: Any, share: Path, tmp_path: Path) -> None:
    paper = tmp_path / "paper"
    told = run("certify", "microscope_01", "microscope/run 1/", "--reread-source", "--reread-archive", "--save", paper)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("microscope/run 1 on Microscope 01 is safe to delete at the source: 1 file")
    key = load_pem_public_key((paper / "public-key.pem").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    content, signature = (paper / "certificate.json").read_bytes(), (paper / "certificate.sig").read_bytes()
    key.verify(signature, content)
    with pytest.raises(InvalidSignature):
        key.verify(signature, content.replace(b"safe", b"gone"))
    manifest = (paper / "manifest.jsonl").read_bytes()
    assert json.loads(content)["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert hashlib.sha256(content).hexdigest() in told.stdout
    events = [link["event"] for link in json.loads(manifest)["chain"]]
    assert events[-2:] == ["reread", "source_reread"]
    again = run("certify", "microscope_01", "--save", paper)
    assert (again.exit_code, again.stderr) == (2, f"--save: {paper} exists already: name a new folder\n")


def test_json_is_the_certificate_with_its_signature(run: Any, share: Path) -> None:
    told = run("certify", "microscope_01", FILE, "--json")
    envelope = json.loads(told.stdout)
    document = json.dumps(envelope["certificate"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert envelope["sha256"] == hashlib.sha256(document.encode()).hexdigest()
    assert len(base64.b64decode(envelope["signature"]["value"])) == 64


def test_what_must_stay_is_exit_1_with_its_reasons(run: Any, share: Path) -> None:
    (share / "run 1" / "new\x1b[2J.csv").write_text("just written")
    run("harvest", "microscope_01")
    told = run("certify", "microscope_01", "microscope/run 1")
    assert told.exit_code == 1, told.output
    assert "NOT safe to delete: 1 of 2 files must stay" in told.stdout
    assert "has not been seen unchanged since it was archived" in told.stdout
    assert "\x1b" not in told.stdout


def test_what_can_not_be_said_is_exit_2_and_leaves_nothing(run: Any, share: Path, tmp_path: Path) -> None:
    never_seen = run("certify", "microscope_01", "microscope/run 2", "--save", tmp_path / "paper")
    assert (never_seen.exit_code, never_seen.stdout) == (2, "")
    assert never_seen.stderr.startswith("Nothing is known at microscope/run 2")
    assert not (tmp_path / "paper").exists()
    unknown = run("certify", "telescope")
    assert (unknown.exit_code, unknown.stderr) == (2, "Instrument telescope not found; known: microscope_01\n")
    without_share = run("certify", "microscope_01", "run 1")
    assert without_share.exit_code == 2
    assert without_share.stderr.endswith("; paths begin with the share's name: 'microscope/run 1'?\n")
