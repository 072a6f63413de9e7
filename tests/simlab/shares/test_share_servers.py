"""What every kind of share server that can run here must do."""

import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from smbprotocol.connection import Connection, Dialects
from smbprotocol.exceptions import SMBOSError

from simlab.errors import InUseError, NoShareServerError, PortTakenError
from simlab.shares import Share, available_kinds, serve
from simlab.shares.base import free_port

LOGON_FAILURE = 0xC000006D

every_kind = pytest.mark.parametrize("kind", available_kinds())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "microscope"
    (folder / "user_a").mkdir(parents=True)
    (folder / "experiment_001.csv").write_bytes(b"frame,counts\n1,1280\n")
    (folder / "large.raw").write_bytes(bytes(range(256)) * 1000)
    return folder


def processes_of(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def test_a_share_server_can_run_here() -> None:
    assert available_kinds()


@every_kind
def test_the_bytes_on_the_share_are_the_bytes_in_the_folder(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable
) -> None:
    with serve([Share("microscope", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        client = client_of(server)
        assert (server.kind, server.host, server.username) == (kind, "127.0.0.1", "labuser")
        assert client.names_in("microscope") == {"user_a", "experiment_001.csv", "large.raw"}
        for name in ("experiment_001.csv", "large.raw"):
            assert client.read("microscope", name) == (folder / name).read_bytes()


@every_kind
def test_a_file_written_while_serving_is_seen(kind: str, folder: Path, tmp_path: Path, client_of: Callable) -> None:
    with serve([Share("microscope", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        client = client_of(server)
        assert "late.csv" not in client.names_in("microscope")
        (folder / "late.csv").write_bytes(b"late\n")
        assert client.read("microscope", "late.csv") == b"late\n"


@every_kind
def test_several_shares_of_one_server_are_apart(kind: str, tmp_path: Path, client_of: Callable) -> None:
    shares = [Share(name, tmp_path / name) for name in ("left", "right")]
    for share in shares:
        share.folder.mkdir()
        (share.folder / f"{share.name}.txt").write_text(share.name)
    with serve(shares, kind=kind, work_folder=tmp_path / "work") as server:
        client = client_of(server)
        assert client.names_in("left") == {"left.txt"}
        assert client.names_in("right") == {"right.txt"}


@every_kind
def test_a_wrong_password_is_refused(kind: str, folder: Path, tmp_path: Path, client_of: Callable) -> None:
    with serve([Share("microscope", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        with pytest.raises(SMBOSError) as refused:
            client_of(server, password="wrong").names_in("microscope")
        assert refused.value.ntstatus == LOGON_FAILURE


@every_kind
def test_a_read_only_share_refuses_writers(kind: str, folder: Path, tmp_path: Path, client_of: Callable) -> None:
    with serve([Share("closed", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        with pytest.raises(OSError, match="closed"):
            client_of(server).write("closed", "new.txt", b"new")
        assert not (folder / "new.txt").exists()


@every_kind
def test_a_writable_share_is_written_or_refused_at_the_start(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable
) -> None:
    served = serve([Share("open", folder, writable=True)], kind=kind, work_folder=tmp_path / "work")
    if kind == "impacket":
        with pytest.raises(ValueError, match="open"), served:
            pass
        return
    with served as server:
        client_of(server).write("open", "new.txt", b"new")
        assert (folder / "new.txt").read_bytes() == b"new"


@every_kind
def test_options_are_obeyed_or_refused(kind: str, tmp_path: Path) -> None:
    served = serve([], kind=kind, work_folder=tmp_path / "work", options={"server max protocol": "SMB2_10"})
    if kind == "impacket":
        with pytest.raises(ValueError, match="server max protocol"), served:
            pass
        return
    with served as server:
        connection = Connection(uuid4(), server.host, server.port)
        connection.connect()
        assert connection.dialect == Dialects.SMB_2_1_0
        connection.disconnect()


@every_kind
def test_user_password_and_port_are_those_asked_for(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable
) -> None:
    port = free_port()
    with serve(
        [Share("microscope", folder)],
        kind=kind,
        port=port,
        work_folder=tmp_path / "work",
        username="harvest_reader",
        password="correct horse",
    ) as server:
        assert (server.port, server.username, server.password) == (port, "harvest_reader", "correct horse")
        assert client_of(server).names_in("microscope")


@every_kind
def test_passwords_are_made_up_anew(kind: str, tmp_path: Path) -> None:
    with (
        serve([], kind=kind, work_folder=tmp_path / "one") as one,
        serve([], kind=kind, work_folder=tmp_path / "two") as two,
    ):
        assert one.password != two.password
        assert one.port != two.port


@every_kind
def test_nothing_runs_after_the_end_even_with_a_client_connected(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable, left_running: Callable
) -> None:
    with serve([Share("microscope", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        client_of(server).names_in("microscope")
        processes = processes_of(server.pid)
    assert left_running(processes) == []


@every_kind
def test_a_frozen_server_is_stopped(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable, left_running: Callable
) -> None:
    with serve([Share("microscope", folder)], kind=kind, work_folder=tmp_path / "work") as server:
        client_of(server).names_in("microscope")
        processes = processes_of(server.pid)
        for process in processes[1:] or processes:
            process.send_signal(signal.SIGSTOP)
    assert left_running(processes) == []


@every_kind
def test_stopping_twice_is_harmless(kind: str, tmp_path: Path) -> None:
    with serve([], kind=kind, work_folder=tmp_path / "work") as server:
        server.stop()
        assert not psutil.pid_exists(server.pid)


SERVING_PARENT = """
import sys, time
from pathlib import Path
from simlab.shares import serve
with serve([], kind=sys.argv[1], work_folder=Path(sys.argv[2])) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


@every_kind
def test_a_killed_parent_takes_its_server_along_and_the_next_start_sweeps_what_is_left(
    kind: str, folder: Path, tmp_path: Path, client_of: Callable, left_running: Callable
) -> None:
    work_folder = tmp_path / "work"
    command = [sys.executable, "-c", SERVING_PARENT, kind, str(work_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        processes = processes_of(int(parent.stdout.readline()))
        left_behind = [link.resolve() for link in work_folder.glob("runtime")]
        parent.kill()
    assert left_running(processes) == []
    with serve([Share("microscope", folder)], kind=kind, work_folder=work_folder) as server:
        assert client_of(server).names_in("microscope")
        assert not any(path.exists() for path in left_behind)


@every_kind
def test_a_taken_port_is_named(kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortTakenError, match=str(port)),
            serve([], kind=kind, port=port, work_folder=tmp_path / "work"),
        ):
            pass


@every_kind
def test_two_servers_do_not_share_a_work_folder(kind: str, tmp_path: Path) -> None:
    with (
        serve([], kind=kind, work_folder=tmp_path / "work"),
        pytest.raises(InUseError, match="work"),
        serve([], kind=kind, work_folder=tmp_path / "work"),
    ):
        pass


@every_kind
def test_the_work_folder_never_lies_in_a_share(kind: str, folder: Path) -> None:
    with (
        pytest.raises(ValueError, match="microscope"),
        serve([Share("microscope", folder)], kind=kind, work_folder=folder / ".simlab"),
    ):
        pass
    assert not (folder / ".simlab").exists()


def test_an_unknown_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoShareServerError, match="nfs"), serve([], kind="nfs", work_folder=tmp_path / "work"):
        pass


folder_names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\n\r\0", exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=40,
).filter(lambda name: name not in {".", ".."})


@every_kind
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(name="100%u [global] # ; =")
@example(name=" x" * 60)
@example(name="x\u2003")
@given(name=folder_names)
def test_any_folder_can_be_shared(kind: str, client_of: Callable, name: str) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, name)
        folder.mkdir()
        (folder / "a.txt").write_bytes(b"a")
        with serve([Share("odd", folder)], kind=kind, work_folder=Path(parent, "w", name)) as server:
            assert client_of(server).read("odd", "a.txt") == b"a"
