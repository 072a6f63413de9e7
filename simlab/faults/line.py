"""A line between a client and a server, which does to what the server says whatever it is told to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from simlab.shares.base import HOST

Damage = Callable[[bytes], bytes | None]
"""What becomes of the next bytes that a server says. None ends the connection."""

END_SECONDS = 20.0


def unharmed(said: bytes) -> bytes:
    """A line that works."""
    return said


class Line:
    """Forwards connections on loopback to a server's port.

    ``damage`` is done to what the server says, on all connections, from the moment it is set. It is called in the
    thread of the connection: while it takes its time, nothing passes.
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
        """End all connections that stand; new ones are taken."""
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
    """A line that works, until somebody damages it."""
    line = Line(server_port)
    try:
        yield line
    finally:
        line.close()


def once_passed(number_of_bytes: int, act: Callable[[], None]) -> Damage:
    """Nothing, but when so many bytes have passed, ``act``, once; the bytes that come then wait for its end."""
    guard = threading.Lock()
    left: int | None = number_of_bytes

    def count(said: bytes) -> bytes:
        nonlocal left
        with guard:
            if left is not None:
                left -= len(said)
                if left < 0:
                    left = None
                    act()
        return said

    return count


def cut_after(number_of_bytes: int, times: int) -> Damage:
    """The connection that says the last of so many bytes is cut; then it all begins anew, so many times."""
    guard = threading.Lock()
    passed = cuts = 0

    def cut(said: bytes) -> bytes | None:
        nonlocal passed, cuts
        with guard:
            passed += len(said)
            if cuts == times or passed < number_of_bytes:
                return said
            passed = 0
            cuts += 1
            return None

    return cut
