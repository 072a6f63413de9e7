"""Connection tests against a real SMB server and a real folder."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from simlab.shares import Share, ShareServer, serve
from streamweave.instruments import connection_test

Client = TestClient[Litestar]
Body = dict[str, Any]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShareServer]:
    """A share with two files and one folder, which holds a third file."""
    folder = tmp_path_factory.mktemp("share")
    (folder / "microscope" / "day").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "day/c.csv"):
        (folder / "microscope" / name).write_bytes(b"x")
    with serve([Share("microscope", folder / "microscope")], work_folder=folder / "server") as server:
        yield server


@pytest.fixture
def connected(api: Client, instrument: Body, share: ShareServer) -> str:
    """The address of an instrument whose files are on that share."""
    account = {"name": "lab", "username": share.username, "password": share.password}
    account_id = api.post("/api/service-accounts", json=account).json()["id"]
    path = f"/api/instruments/{instrument['id']}"
    values = {"cifs_host": share.host, "cifs_port": share.port, "service_account_id": account_id}
    assert api.patch(path, json=values).status_code == 200
    return path


def test_a_share_that_can_be_listed_says_what_lies_in_its_base_folder(api: Client, connected: str) -> None:
    answer = api.post(f"{connected}/test")
    assert answer.status_code == 200
    assert answer.json().pop("seconds") >= 0
    assert answer.json() | {"seconds": 0} == {"ok": True, "files": 2, "folders": 1, "seconds": 0}
    api.patch(connected, json={"cifs_base_path": "/day"})
    below = api.post(f"{connected}/test").json()
    assert (below["files"], below["folders"]) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "error_kind"),
    [
        ({"cifs_share": "nothing"}, "share_missing"),
        ({"cifs_base_path": "/nowhere"}, "base_path_missing"),
        ({"service_account_id": None}, "credentials_refused"),
    ],
)
def test_a_share_that_can_not_be_listed_says_why(api: Client, connected: str, changes: Body, error_kind: str) -> None:
    api.patch(connected, json=changes)
    answer = api.post(f"{connected}/test")
    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["error_kind"]) == (False, error_kind)
    assert answer.json()["detail"]


def test_a_wrong_password_is_told_as_such(api: Client, connected: str) -> None:
    account = api.get("/api/service-accounts").json()[0]
    api.patch(f"/api/service-accounts/{account['id']}", json={"password": "a wrong one"})
    refused = api.post(f"{connected}/test").json()
    assert (refused["ok"], refused["error_kind"]) == (False, "credentials_refused")
    assert "a wrong one" not in refused["detail"]


def test_a_closed_port_a_silent_one_and_one_that_is_no_smb_servers_can_not_be_told_apart(
    api: Client, connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test, "PATIENCE_SECONDS", 1.0)

    def told_of(port: int) -> Body:
        api.patch(connected, json={"cifs_port": port})
        began = time.monotonic()
        answer: Body = api.post(f"{connected}/test").json()
        assert time.monotonic() - began >= 1.0
        return {**answer, "detail": answer["detail"].replace(str(port), "PORT")}

    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as other:
        talking = threading.Thread(target=_greet, args=(other,))
        talking.start()
        answers = [told_of(silent.getsockname()[1]), told_of(other.getsockname()[1])]
        talking.join()
        closed = silent.getsockname()[1]
    answers.append(told_of(closed))
    host = api.get(connected).json()["cifs_host"]
    assert answers == 3 * [
        {
            "ok": False,
            "error_kind": "source_unreachable",
            "detail": f"nothing answered as an SMB 2 or 3 server at {host}:PORT",
        }
    ]


def _greet(server: socket.socket) -> None:
    """As an SSH server would."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        while connection.recv(4096):
            pass


def test_a_name_that_nobody_knows_is_told_as_such(
    api: Client, share: ShareServer, instrument: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test, "PATIENCE_SECONDS", 1.0)
    account = {"name": "lab", "username": "u", "password": "p", "allowed_hosts": ["*.invalid"]}
    account_id = api.post("/api/service-accounts", json=account).json()["id"]
    path = f"/api/instruments/{instrument['id']}"
    api.patch(path, json={"cifs_host": "no-such-host.invalid", "service_account_id": account_id})
    assert "the host name is not known" in api.post(f"{path}/test").json()["detail"]


def test_the_password_is_sent_to_no_host_that_the_account_is_not_bound_to(
    api: Client, connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_test, "PATIENCE_SECONDS", 1.0)
    refused = api.patch(connected, json={"cifs_host": "192.0.2.7"})
    assert refused.status_code == 422
    assert "the service account lab may be used at 127.0.0.1 only" in refused.json()["detail"]
    account = api.get("/api/service-accounts").json()[0]
    path = f"/api/service-accounts/{account['id']}"
    assert account["allowed_hosts"] == ["127.0.0.1"]
    without_password = api.patch(path, json={"allowed_hosts": ["127.0.0.1", "localhost"]})
    assert (without_password.status_code, without_password.json()) == (
        422,
        {"detail": "password: must be entered anew when allowed_hosts change"},
    )
    changed = api.patch(path, json={"allowed_hosts": ["LocalHost", "10.0.0.0/8"], "password": "anew"})
    assert changed.json()["allowed_hosts"] == ["localhost", "10.0.0.0/8"]
    tested = api.post(f"{connected}/test").json()
    assert (tested["ok"], tested["error_kind"]) == (False, "host_not_allowed")


def test_a_storage_location_that_works_is_left_as_it_was(api: Client, location: Body) -> None:
    base = Path(location["base_path"])
    before = sorted(base.rglob("*"))
    answer = api.post(f"/api/storage-locations/{location['id']}/test")
    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["bytes"]) == (True, 65536)
    assert sorted(base.rglob("*")) == before


def test_a_storage_location_that_is_gone_is_not_made_anew(api: Client, location: Body) -> None:
    base = Path(location["base_path"])
    shutil.rmtree(base)
    answer = api.post(f"/api/storage-locations/{location['id']}/test")
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert answer.json()["error_kind"].startswith("storage_")
    assert not base.exists()


@pytest.mark.parametrize("noun", ["instruments", "storage-locations"])
def test_only_admins_test_and_only_what_exists(client: Client, researcher: Body, admin: Body, noun: str) -> None:
    path = f"/api/{noun}/00000000-0000-0000-0000-000000000000/test"
    assert client.post(path, headers=researcher).status_code == 403
    assert client.post(path, headers=admin).status_code == 404
