"""What a facility manager is told when a share can't be reached, and how a source comes back."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from simlab.shares import ShareServer
from streamweave.errors import (
    BasePathMissing,
    CredentialsRefused,
    ShareMissing,
    SourceError,
    SourceUnreachable,
)
from streamweave.sources.base import SourceFile

SHARE = "microscope"


def refusal(source: Any) -> SourceError:
    with pytest.raises(SourceError) as refused:
        list(source.listings())
    return refused.value


@contextmanager
def frozen(server: ShareServer, until: Callable[..., None]) -> Iterator[None]:
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        main = psutil.Process(server.pid)
        stands_still = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
        until(lambda: {process.status() for process in (main, *main.children(True))} <= stands_still)
        yield
    finally:
        os.killpg(server.pid, signal.SIGCONT)


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """A port where something answers that is no SMB server."""

    def serve_one() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            while connection.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


def test_each_reason_why_a_share_can_not_be_opened_has_its_own_error_and_sentence(
    smb_bench: Any, free_port: int
) -> None:
    server = f"{smb_bench.address.host}:{smb_bench.address.port}"
    folder = f"{smb_bench.address.base_path}/gone"
    expected: list[tuple[dict[str, Any], type[SourceError], str]] = [
        (
            {"port": free_port},
            SourceUnreachable,
            f"nothing answered as an SMB 2 or 3 server at {smb_bench.address.host}:{free_port}",
        ),
        (
            {"password": "guessed"},
            CredentialsRefused,
            f"{server} refuses the service account 'labuser' (wrong user name or password)",
        ),
        (
            {"username": "stranger", "domain": "LAB"},
            CredentialsRefused,
            rf"{server} refuses the service account 'LAB\stranger' (wrong user name or password)",
        ),
        ({"share": "microscop"}, ShareMissing, f"{server} has no share 'microscop'"),
        ({"base_path": folder}, BasePathMissing, f"share '{SHARE}' on {server} has no folder '{folder}'"),
    ]
    for changes, kind, sentence in expected:
        error = refusal(smb_bench.source(**changes))
        assert (type(error), str(error)) == (kind, sentence)


def test_a_base_path_that_is_a_file_is_missing(smb_bench: Any) -> None:
    smb_bench.write("file", b"x")
    assert type(refusal(smb_bench.source(base_path=f"{smb_bench.address.base_path}/file"))) is BasePathMissing


@pytest.mark.parametrize("write", [lambda path: path, lambda path: path.replace("/", "\\"), lambda path: path + "//"])
def test_a_base_path_is_understood_however_it_is_written(smb_bench: Any, write: Callable[[str], str]) -> None:
    smb_bench.write("run/a.txt", b"x")
    base_path = smb_bench.address.base_path + "/run"
    (listing,) = smb_bench.source(base_path=write(base_path)).listings()
    assert listing.folder == f"{SHARE}{base_path}"
    assert [file.source_path for file in listing.files] == [f"{SHARE}{base_path}/a.txt"]


def test_an_unknown_host_is_named(smb_bench: Any) -> None:
    error = refusal(smb_bench.source(host="no-such-host.invalid"))
    assert isinstance(error, SourceUnreachable)
    assert str(error) == f"no-such-host.invalid:{smb_bench.address.port} does not answer (the host name is not known)"


def test_a_password_is_in_no_message_and_no_representation(smb_bench: Any) -> None:
    source = smb_bench.source(password="a-secret-indeed")
    error = refusal(source)
    assert "a-secret-indeed" not in f"{error} {error!r} {smb_bench.address!r} {source!r}"
    assert smb_bench.address.password not in repr(smb_bench.address)


@pytest.mark.parametrize("answer", [b"\0\0\0\x14SSH-2.0-OpenSSH_9.2\r\n", b"\0\0\0\x50\xfeSMB" + b"\xff" * 76, b""])
def test_something_else_at_the_port_is_unreachable(smb_bench: Any, answer: bytes) -> None:
    with listening(answer) as port:
        source = smb_bench.source(port=port, timeout_seconds=1)
        sentence = f"nothing answered as an SMB 2 or 3 server at {smb_bench.address.host}:{port}"
        assert str(refusal(source)) == sentence
        source.close()


def test_a_server_killed_while_a_file_is_read_is_unreachable_and_the_next_call_connects_again(own_server: Any) -> None:
    bench = own_server.bench(own_server.start())
    bench.write("big.raw", b"x" * (40 << 20))
    source = bench.source()

    def read_while_the_server_ends() -> None:
        with source.open(f"{SHARE}/big.raw") as file:
            chunks = file.chunks()
            next(chunks)
            own_server.stop()
            for _ in chunks:
                pass

    with pytest.raises(SourceUnreachable, match="ended the connection"):
        read_while_the_server_ends()
    with pytest.raises(SourceUnreachable, match="nothing answered as an SMB 2 or 3 server"):
        list(source.listings())
    own_server.start()
    assert [file.source_path for listing in source.listings() for file in listing.files] == [f"{SHARE}/big.raw"]


def test_a_server_that_falls_silent_is_unreachable_after_the_timeout(
    own_server: Any, until: Callable[..., None]
) -> None:
    server = own_server.start()
    bench = own_server.bench(server, timeout_seconds=1)
    bench.write("a.txt", b"x")
    source = bench.source()
    questions: list[Callable[[], object]] = [
        lambda: list(source.listings()),
        lambda: source.open(f"{SHARE}/a.txt").__enter__(),
        lambda: source.has_open_writer(f"{SHARE}/a.txt"),
        lambda: list(source.read_whole([SourceFile(f"{SHARE}/a.txt", 1, datetime.now(UTC))] * 20)),
    ]
    with ThreadPoolExecutor(1) as asking:
        for question in questions:
            list(source.listings())
            with frozen(server, until), pytest.raises(SourceUnreachable, match=r"silent for 1 s"):
                asking.submit(question).result(timeout=20)
        source.close()
        with frozen(server, until), pytest.raises(SourceUnreachable, match="nothing answered as an SMB 2 or 3 server"):
            asking.submit(questions[0]).result(timeout=20)
    assert list(source.listings())


def test_a_file_open_while_the_server_falls_silent_can_be_let_go(own_server: Any, until: Callable[..., None]) -> None:
    server = own_server.start()
    bench = own_server.bench(server, timeout_seconds=1)
    bench.write("big.raw", b"x" * (30 << 20))

    def read_to_the_end() -> None:
        with bench.source().open(f"{SHARE}/big.raw") as file, frozen(server, until):
            for _ in file.chunks():
                pass

    with pytest.raises(SourceUnreachable, match="silent"):
        read_to_the_end()


def test_closing_ends_every_thread_and_socket(smb_bench: Any) -> None:
    def sockets() -> int:
        return sum(connection.raddr[1:] == (smb_bench.address.port,) for connection in this.net_connections("tcp"))

    this = psutil.Process()
    before, sockets_before = set(threading.enumerate()), sockets()
    source = smb_bench.source()
    list(source.listings())
    assert sockets() == sockets_before + 1
    source.close()
    for worker in set(threading.enumerate()) - before:
        worker.join(20)
        assert not worker.is_alive()
    assert sockets() == sockets_before


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
