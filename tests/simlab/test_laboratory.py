import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from simlab.laboratory import Laboratory, run_laboratory
from simlab.manifest import manifest, write_manifest
from simlab.seed import SEED
from simlab.shares import available_kinds

every_kind = pytest.mark.parametrize("kind", available_kinds())


def ports_of(laboratory: Laboratory) -> list[int]:
    return [one.server.port for one in laboratory.instruments]


@every_kind
def test_each_instrument_serves_its_seed_at_a_port_of_its_own(kind: str, tmp_path: Path, client_of: Callable) -> None:
    with run_laboratory(tmp_path, kind=kind) as laboratory:
        assert len(set(ports_of(laboratory))) == len(SEED)
        for one in laboratory.instruments:
            assert one.server.kind == kind
            assert one.folder == tmp_path / one.instrument.folder
            assert client_of(one.server).names_in(one.instrument.share) == set(one.instrument.files)


def test_all_instruments_share_one_service_account(tmp_path: Path) -> None:
    with run_laboratory(tmp_path) as laboratory:
        accounts = {(one.server.username, one.server.password) for one in laboratory.instruments}
        assert accounts == {(laboratory.username, laboratory.password)}


def test_a_second_start_keeps_ports_password_and_files(tmp_path: Path) -> None:
    with run_laboratory(tmp_path) as first:
        (first.instruments[0].folder / "experiment_001.csv").write_bytes(b"changed")
    with run_laboratory(tmp_path) as second:
        assert ports_of(second) == ports_of(first)
        assert second.password == first.password
        assert (second.instruments[0].folder / "experiment_001.csv").read_bytes() == b"changed"


def test_a_port_taken_meanwhile_is_replaced_and_said(tmp_path: Path) -> None:
    with run_laboratory(tmp_path) as first:
        old_ports = ports_of(first)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", old_ports[1])), run_laboratory(tmp_path, say=said.append) as second:
        new_ports = ports_of(second)
    assert [new == old for new, old in zip(new_ports, old_ports, strict=True)] == [True, False, True]
    assert said == [f"Port {old_ports[1]} of Spectrometer 01 is taken; choosing another."]
    with run_laboratory(tmp_path) as third:
        assert ports_of(third) == new_ports


def test_servers_keep_their_own_files_out_of_the_shares(tmp_path: Path) -> None:
    with run_laboratory(tmp_path) as laboratory:
        for one in laboratory.instruments:
            assert {path.name for path in one.folder.iterdir()} == set(one.instrument.files)
    assert {path.name for path in tmp_path.iterdir()} == {".simlab", *(one.folder for one in SEED)}


def test_the_manifest_describes_the_laboratory_that_runs(tmp_path: Path) -> None:
    with run_laboratory(tmp_path / "lab") as laboratory:
        content = manifest(
            [(one.instrument, one.server) for one in laboratory.instruments],
            username=laboratory.username,
            password=laboratory.password,
            storage_root=tmp_path / "storage",
        )
    microscope = content["instruments"][0]
    assert list(content) == ["service_accounts", "storage_locations", "instruments", "schedules", "hooks"]
    assert content["service_accounts"] == [
        {
            "name": "simlab-service",
            "domain": "WORKGROUP",
            "username": laboratory.username,
            "password": laboratory.password,
        }
    ]
    assert microscope == {
        "slug": "microscope_01",
        "name": "Microscope 01",
        "description": "Simulated optical microscope",
        "location": "Lab A, Room 101",
        "cifs_host": "127.0.0.1",
        "cifs_port": ports_of(laboratory)[0],
        "cifs_share": "microscope",
        "cifs_base_path": "/",
        "service_account": "simlab-service",
        "transfer_adapter": "smb",
        "timezone": "UTC",
        "quiet_period_seconds": 5,
        "poll_interval_seconds": 10,
        "enabled": True,
    }
    assert content["storage_locations"] == [
        {
            "name": name,
            "type": "posix",
            "connection_config": {},
            "base_path": str(tmp_path / "storage" / folder),
            "enabled": True,
        }
        for name, folder in (("Archive Storage", "archive"), ("Restricted Storage", "restricted"))
    ]
    assert {entry["instrument"]: entry["storage_location"] for entry in content["schedules"]} == {
        "microscope_01": "Archive Storage",
        "spectrometer_01": "Archive Storage",
        "x_ray_diffraction_01": "Restricted Storage",
    }
    assert {entry["cron_expression"] for entry in content["schedules"]} == {"*/15 * * * *"}


def test_the_manifests_hooks_filter_and_enrich_the_microscopes_files() -> None:
    content = manifest([], username="u", password="p", storage_root=Path("/storage"))
    file_filter, enrichment = content["hooks"]
    assert (file_filter["trigger"], file_filter["builtin_name"]) == ("pre_transfer", "file_filter")
    assert file_filter["config"] == {"exclude_patterns": ["*.tmp", "*.lock", "~$*"]}
    assert (enrichment["trigger"], enrichment["builtin_name"]) == ("post_transfer", "metadata_enrichment")
    (rule,) = enrichment["config"]["rules"]
    match = re.search(rule["pattern"], "microscope/user_a/experiment_001/scan_01.csv")
    assert rule["source"] == "path"
    assert match is not None
    assert match.groupdict() == {"username": "user_a", "experiment": "experiment_001"}


def test_the_manifest_is_json_that_only_its_owner_reads(tmp_path: Path) -> None:
    content = manifest([], username="u", password="p", storage_root=tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text("an older one")
    path.chmod(0o644)
    write_manifest(path, content)
    assert json.loads(path.read_text()) == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
