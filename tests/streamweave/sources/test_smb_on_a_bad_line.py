"""A real server behind a line that cuts, stalls and garbles: both engines end in time, cleanly, and recover."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from streamweave.errors import SourceUnreachable
from streamweave.sources.base import SourceFile, WholeFile

Damage = Callable[[bytes], bytes | None]
CONTENT = bytes(range(256)) * 2_000


class BadLine:
    """Forwards connections to a server. ``damage`` is done to what the server says; None of it ends the connection."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.damage: Damage = lambda said: said
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [client, server]
                for ends in ((client, server, bytes), (server, client, self._damaged)):
                    self._threads.append(threading.Thread(target=self._forward, args=ends))
                    self._threads[-1].start()

    def _damaged(self, said: bytes) -> bytes | None:
        return self.damage(said)

    def _forward(self, source: socket.socket, target: socket.socket, change: Damage) -> None:
        with suppress(OSError):
            while said := source.recv(1 << 16):
                if (changed := change(said)) is None:
                    break
                target.sendall(changed)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(20)


@pytest.fixture
def line(samba_bench: Any) -> Iterator[BadLine]:
    line = BadLine(samba_bench.address.port)
    with ExitStack() as closing:
        closing.callback(line.close)
        closing.callback(samba_bench.closing.close)
        yield line


def garbled(said: bytes) -> bytes:
    return said[:-1] + bytes([said[-1] ^ 1])


def stalled_within_an_answer() -> Damage:
    parts = iter([2])
    return lambda said: said[: len(said) // 2] if next(parts, None) else b""


def forged() -> Damage:
    """One answer in the guise of a session's set-up, which nobody has to sign before the session stands."""
    first = iter([True])

    def forge(said: bytes) -> bytes:
        if not next(first, False):
            return said
        frame = bytearray(said)
        header = memoryview(frame)[4:68]
        header[12:14] = b"\1\0"  # the command
        header[16] &= ~0x8  # signed
        header[40:64] = bytes(24)  # the session and the signature
        return bytes(frame)

    return forge


def announced_only() -> Damage:
    """The first answer is put off, and then nothing more is said."""
    first = iter([True])

    def put_off(said: bytes) -> bytes:
        if not next(first, False):
            return b""
        message = bytearray(said[4:])
        del message[int.from_bytes(message[20:24], "little") or len(message) :]
        message[8:12] = b"\3\1\0\0"  # the status: pending
        message[16] |= 0x2  # asynchronous
        message[20:24] = bytes(4)  # no other message follows
        return len(message).to_bytes(4, "big") + message

    return put_off


DAMAGES: dict[str, tuple[Callable[[], Damage], str]] = {
    "it is cut": (lambda: lambda said: None, "ended the connection"),
    "it stalls": (lambda: lambda said: b"", "silent for 1 s"),
    "it stalls within an answer": (stalled_within_an_answer, "silent for 1 s"),
    "it stalls behind an announcement": (announced_only, "silent for 1 s"),
    "it garbles a bit": (lambda: garbled, "as expected"),
    "it garbles all": (lambda: lambda said: said[::-1], "127.0.0.1"),
    "it forges an answer": (forged, "as expected"),
    "it makes frames longer than they are": (lambda: lambda said: b"\0\1" + said[2:], "127.0.0.1"),
}

QUESTIONS: dict[str, Callable[[Any, SourceFile], object]] = {
    "listing": lambda source, file: list(source.listings()),
    "reading whole": lambda source, file: list(source.read_whole([file] * 20)),
    "reading in pieces": lambda source, file: read(source, file.source_path),
    "probing": lambda source, file: source.has_open_writer(file.source_path),
}


def read(source: Any, source_path: str) -> bytes:
    with source.open(source_path) as file:
        return b"".join(file.chunks())


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_bad_line_ends_every_question_in_time_and_the_next_one_connects_again(
    samba_bench: Any, line: BadLine, damage: Callable[[], Damage], words: str
) -> None:
    samba_bench.write("scan.raw", CONTENT)
    source = samba_bench.source(port=line.port, timeout_seconds=1)
    with ThreadPoolExecutor(1) as asking:
        for question in QUESTIONS.values():
            (file,) = [file for listing in source.listings() for file in listing.files]
            line.damage = damage()
            with pytest.raises(SourceUnreachable, match=words):
                asking.submit(question, source, file).result(timeout=20)
            line.damage = lambda said: said
            (answer,) = source.read_whole([file])
            assert answer == WholeFile(CONTENT, file, file)
        line.damage = damage()
        asking.submit(source.close).result(timeout=20)
