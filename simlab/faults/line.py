"""A TCP proxy between a client and a server, which can damage what the server sends."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from simlab.shares.base import HOST

Damage = Callable[[bytes], bytes | None]
"""What is passed on in place of the next bytes from the server. None ends the connection."""

END_SECONDS = 20.0


def unharmed(sent: bytes) -> bytes:
    """A line that works."""
    return sent


class Line:
    """Forwards connections on loopback to a server's port.

    ``damage`` is applied to what the server sends, on all connections, from the moment it is set. It is called in the
    thread of the connection: nothing passes until it returns.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.damage: Damage = unharmed
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                try:
                    server = socket.create_connection((HOST, self._server_port))
                except OSError:  # the server is down: the client learns of it as it would without us
                    client.close()
                    continue
                self._open.append(server)
                for ends in ((client, server, unharmed), (server, client, self._damaged)):
                    self._threads.append(threading.Thread(target=self._forward, args=ends))
                    self._threads[-1].start()

    def _damaged(self, sent: bytes) -> bytes | None:
        return self.damage(sent)

    def _forward(self, source: socket.socket, target: socket.socket, change: Damage) -> None:
        with suppress(OSError):
            while sent := source.recv(1 << 16):
                if (changed := change(sent)) is None:
                    break
                target.sendall(changed)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def leading_to(self, server_port: int) -> Iterator[None]:
        """Lead to another server until the block ends; connections to the one before are cut, at the end too."""
        before, self._server_port = self._server_port, server_port
        self.cut_all()
        try:
            yield
        finally:
            self._server_port = before
            self.cut_all()

    def cut_all(self) -> None:
        """End all open connections; new ones are accepted."""
        for end in self._open[1:]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and take no more."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(END_SECONDS)


@contextmanager
def line_to(server_port: int) -> Iterator[Line]:
    """A line that works until its ``damage`` is set."""
    line = Line(server_port)
    try:
        yield line
    finally:
        line.close()


def once_passed(number_of_bytes: int, act: Callable[[], None]) -> Damage:
    """No damage; when so many bytes have passed, ``act`` is called, once, before more bytes are passed on."""
    guard = threading.Lock()
    left: int | None = number_of_bytes

    def count(sent: bytes) -> bytes:
        nonlocal left
        with guard:
            if left is not None:
                left -= len(sent)
                if left < 0:
                    left = None
                    act()
        return sent

    return count


def cut_after(number_of_bytes: int, times: int) -> Damage:
    """Cut the connection on which the last of so many bytes arrives, and count anew; so many times."""
    guard = threading.Lock()
    passed = cuts = 0

    def cut(sent: bytes) -> bytes | None:
        nonlocal passed, cuts
        with guard:
            passed += len(sent)
            if cuts == times or passed < number_of_bytes:
                return sent
            passed = 0
            cuts += 1
            return None

    return cut


# damages to the bytes themselves: each call makes a fresh one, which may keep state


def cut() -> Damage:
    """The connection ends."""
    return lambda sent: None


def stalled() -> Damage:
    """Nothing arrives any more."""
    return lambda sent: b""


def stalled_within_an_answer() -> Damage:
    """Half of the first bytes arrive, and then nothing more."""
    parts = iter([2])
    return lambda sent: sent[: len(sent) // 2] if next(parts, None) else b""


def stalled_behind_an_announcement() -> Damage:
    """The first answer is an interim response ([MS-SMB2] 3.3.4.2), and then nothing more comes."""
    first = iter([True])

    def put_off(sent: bytes) -> bytes:
        if not next(first, False):
            return b""
        message = bytearray(sent[4:])
        del message[int.from_bytes(message[20:24], "little") or len(message) :]
        message[8:12] = b"\3\1\0\0"  # the status: pending
        message[16] |= 0x2  # asynchronous
        message[20:24] = bytes(4)  # no other message follows
        return len(message).to_bytes(4, "big") + message

    return put_off


def garbled_by_a_bit() -> Damage:
    """The last bit is flipped."""
    return lambda sent: sent[:-1] + bytes([sent[-1] ^ 1])


def garbled() -> Damage:
    """All bytes arrive in reverse order."""
    return lambda sent: sent[::-1]


def forged() -> Damage:
    """One answer claims to be a SESSION_SETUP response, which needs no signature before the session is established."""
    first = iter([True])

    def forge(sent: bytes) -> bytes:
        if not next(first, False):
            return sent
        frame = bytearray(sent)
        header = memoryview(frame)[4:68]
        header[12:14] = b"\1\0"  # the command
        header[16] &= ~0x8  # signed
        header[40:64] = bytes(24)  # the session and the signature
        return bytes(frame)

    return forge


def frames_said_to_be_longer() -> Damage:
    """Each frame's header gives a length that is too large."""
    return lambda sent: b"\0\1" + sent[2:]


DAMAGES: Mapping[str, Callable[[], Damage]] = {
    "it is cut": cut,
    "it stalls": stalled,
    "it stalls within an answer": stalled_within_an_answer,
    "it stalls behind an announcement": stalled_behind_an_announcement,
    "it garbles a bit": garbled_by_a_bit,
    "it garbles all": garbled,
    "it forges an answer": forged,
    "it makes frames longer than they are": frames_said_to_be_longer,
}
