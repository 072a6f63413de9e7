"""simlab at a terminal, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import smbclient

from simlab.shares import available_kinds
from simlab.shares.base import free_port

SIMLAB = [sys.executable, "-m", "simlab"]
every_kind = pytest.mark.parametrize("kind", available_kinds())


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SIMLAB, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


@contextmanager
def serving(
    *arguments: object, command: str = "serve", **environment: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run `simlab serve`, or another command that serves; yields it, and what it printed before `ready`."""
    words = [*SIMLAB, command, *map(str, arguments)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        try:
            assert process.stdout is not None
            lines = list(iter(process.stdout.readline, "ready\n"))
            yield process, [line.rstrip("\n") for line in lines]
        finally:
            process.terminate()
            process.wait(timeout=60)


@every_kind
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_each_instrument_is_and_ends_with_a_signal(
    kind: str, number: signal.Signals, tmp_path: Path, left_running: Callable
) -> None:
    with serving("--folder", tmp_path / "lab", "--kind", kind) as (process, lines):
        assert [line.split(": ")[0] for line in lines] == [
            "Microscope 01",
            "Spectrometer 01",
            "X-Ray Diffraction 01",
        ]
        assert all(": smb://127.0.0.1:" in line for line in lines)
        assert lines[2].endswith(f"/xrd {tmp_path / 'lab' / 'xray-diffraction'}")
        servers = psutil.Process(process.pid).children(recursive=True)
        assert servers
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    assert left_running(servers) == []


@every_kind
def test_whoever_reads_the_manifest_reaches_every_instrument(kind: str, tmp_path: Path) -> None:
    manifest_file = tmp_path / "manifest.json"
    with serving("--folder", tmp_path / "lab", "--kind", kind, "--manifest", manifest_file):
        manifest = json.loads(manifest_file.read_text())
        (account,) = manifest["service_accounts"]
        for instrument in manifest["instruments"]:
            session = {
                "username": account["username"],
                "password": account["password"],
                "port": instrument["cifs_port"],
                "connection_cache": {},
            }
            assert smbclient.listdir(rf"\\{instrument['cifs_host']}\{instrument['cifs_share']}", **session)
            smbclient.reset_connection_cache(fail_on_error=False, connection_cache=session["connection_cache"])
    assert manifest_file.stat().st_mode & 0o777 == 0o600
    assert manifest["storage_locations"][0]["base_path"] == str(tmp_path / "storage" / "archive")


def test_the_storage_root_can_be_chosen(tmp_path: Path) -> None:
    manifest_file = tmp_path / "manifest.json"
    arguments = ["--folder", tmp_path / "lab", "--storage-root", tmp_path / "vault", "--manifest", manifest_file]
    with serving(*arguments):
        locations = json.loads(manifest_file.read_text())["storage_locations"]
    assert [location["base_path"] for location in locations] == [
        str(tmp_path / "vault" / name) for name in ("archive", "restricted")
    ]


def test_a_manifest_of_an_earlier_start_is_gone_before_the_servers_start(tmp_path: Path) -> None:
    manifest_file = tmp_path / "manifest.json"
    manifest_file.write_text("an older one")
    assert run("serve", "--folder", tmp_path, "--kind", "nfs", "--manifest", manifest_file).returncode == 2
    assert not manifest_file.exists()


def test_servers_end_when_simlab_is_killed_and_come_back_where_they_were(
    tmp_path: Path, left_running: Callable
) -> None:
    with serving("--folder", tmp_path) as (process, before):
        servers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert left_running(servers) == []
    with serving("--folder", tmp_path) as (_, after):
        assert after == before


ACCOUNT = {"SIMLAB_USERNAME": "labuser", "SIMLAB_PASSWORD": "from the environment"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_host_serves_one_instrument_to_the_environments_account_and_ends_with_a_signal(
    number: signal.Signals, tmp_path: Path, left_running: Callable
) -> None:
    port = free_port()
    arguments = ["microscope_01", "--folder", tmp_path, "--port", port]
    with serving(*arguments, command="host", **ACCOUNT) as (process, lines):
        assert lines == [f"Microscope 01: 127.0.0.1:{port}, share microscope, {tmp_path}"]
        session = {"username": "labuser", "password": "from the environment", "port": port, "connection_cache": {}}
        assert smbclient.listdir(r"\\127.0.0.1\microscope", **session)
        smbclient.reset_connection_cache(fail_on_error=False, connection_cache=session["connection_cache"])
        servers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    assert left_running(servers) == []


def test_the_manifest_of_hosts_names_them_and_takes_the_account_from_the_environment() -> None:
    result = run("manifest", "--storage-root", "/storage", **ACCOUNT)
    content = json.loads(result.stdout)
    assert [(one["cifs_host"], one["cifs_port"]) for one in content["instruments"]] == [
        ("microscope-01", 445),
        ("spectrometer-01", 445),
        ("xray-diffraction-01", 445),
    ]
    assert content["service_accounts"][0]["password"] == "from the environment"
    assert [one["base_path"] for one in content["storage_locations"]] == ["/storage/archive", "/storage/restricted"]


@pytest.mark.parametrize(
    "arguments", [["host", "microscope_01", "--folder", "{tmp}"], ["manifest", "--storage-root", "/storage"]]
)
def test_hosts_need_an_account(arguments: list[str], tmp_path: Path) -> None:
    result = run(*(argument.format(tmp=tmp_path) for argument in arguments), NO_COLOR="1", COLUMNS="300")
    assert result.returncode == 2
    assert "SIMLAB_USERNAME" in result.stderr


NEITHER_SERVER = """
import sys
from simlab.shares import impacket, samba
samba.is_available = impacket.is_available = lambda: False
sys.argv = ["simlab", "serve", "--folder", sys.argv[1]]
from simlab.cli import main
main()
"""


def test_without_any_server_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", NEITHER_SERVER, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "install Samba" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_second_laboratory_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with serving("--folder", tmp_path):
        result = run("serve", "--folder", tmp_path)
    assert result.returncode == 2
    assert "Another server" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["serve"], "--folder"),
        (["serve", "--folder", "{tmp}", "--kind", "nfs"], "nfs"),
        (["serve", "--folder", "{tmp}/file"], "file"),
        (["host", "nope", "--folder", "{tmp}", "--username", "u", "--password", "p"], "nope"),
        (["produce", "{tmp}/absent", "large"], "does not exist"),
        (["produce", "{tmp}", "explosion"], "explosion"),
        (["produce", "{tmp}", "large", "--bytes", "-1"], "--bytes"),
        (["produce", "{tmp}", "large", "--name", "file"], "exists"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(*(argument.format(tmp=tmp_path) for argument in arguments), NO_COLOR="1", COLUMNS="300")
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["growing", "--name", "run.csv", "--rows", "2", "--pause", "0"], {"run.csv"}),
        (["rename", "--name", "run.csv", "--rows", "2", "--pause", "0"], {"run.csv"}),
        (["burst", "--name", "b", "--files", "2", "--bytes", "5"], {"b/frame_000000.raw", "b/frame_000001.raw"}),
        (["large", "--name", "a/stack.raw", "--bytes", "2000000"], {"a/stack.raw"}),
    ],
)
def test_produce_writes_and_says_so(arguments: list[str], files: set[str], tmp_path: Path) -> None:
    result = run("produce", tmp_path, *arguments)
    assert result.returncode == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == files
    finished = [line for line in result.stdout.splitlines() if line.endswith("finished")]
    assert {line.split()[0] for line in finished} == {str(tmp_path / name) for name in files}


def test_produce_makes_up_a_name(tmp_path: Path) -> None:
    assert run("produce", tmp_path, "large", "--bytes", "1").returncode == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".raw"]
