"""A line in front of a server that repeats what it hears."""

import socket
import threading
from collections.abc import Iterator

import pytest

from simlab.faults.line import Line, cut_after, line_to, once_passed


@pytest.fixture
def line() -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=repeat_to_all, args=(server,), daemon=True).start()
        with line_to(server.getsockname()[1]) as line:
            yield line


def repeat_to_all(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=repeat, args=(client,), daemon=True).start()


def repeat(client: socket.socket) -> None:
    with client:
        while said := client.recv(1 << 16):
            client.sendall(said)


def answer(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    return client.recv(1 << 16)


def connect(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=20)


def test_what_is_said_arrives(line: Line) -> None:
    with connect(line) as client:
        assert answer(client, b"hello") == b"hello"


def test_an_act_happens_once_when_so_many_bytes_have_passed(line: Line) -> None:
    acts: list[str] = []
    line.damage = once_passed(6, lambda: acts.append("now"))
    with connect(line) as client:
        assert (answer(client, b"123456"), acts) == (b"123456", [])
        assert (answer(client, b"7"), acts) == (b"7", ["now"])
        assert (answer(client, b"more"), acts) == (b"more", ["now"])


def test_connections_are_cut_as_often_as_asked_and_then_stand(line: Line) -> None:
    line.damage = cut_after(3, times=2)
    for _ in range(2):
        with connect(line) as client:
            assert answer(client, b"12") == b"12"
            assert answer(client, b"3") == b""
    with connect(line) as client:
        assert answer(client, b"123456") == b"123456"


def test_all_that_stands_can_be_cut(line: Line) -> None:
    with connect(line) as client:
        assert answer(client, b"1") == b"1"
        line.cut_all()
        assert client.recv(1) == b""
    with connect(line) as client:
        assert answer(client, b"1") == b"1"


def test_behind_a_line_a_server_that_is_down_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with line_to(port) as line, connect(line) as client:
        assert client.recv(1) == b""
