"""Downloads: one of a huge file, and many slow ones while somebody else turns pages."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psycopg

from benchmarks.catalog.serving import MIB, Served
from benchmarks.catalog.stopwatch import Asked, Client, Times, timed
from benchmarks.catalog.world import World, identity
from streamweave_cli.readiness import LOOPBACK

SLOW_CLIENTS = 50
SLOW_BYTES, SLOW_SECONDS = 4096, 1.0  # 4 KiB/s
GIB = 1024**3
WATCH_SECONDS = 0.05
PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hauled:
    """A large download: how much came, how fast, and what it took of the service's memory at most."""

    bytes: int
    mib_per_second: float
    growth_mib: float


def lay_down(url: str, world: World, storage: Path, size: int) -> str:
    """Put a sparse file of ``size`` bytes in the place of an archived one; returns the path to ask for it."""
    with psycopg.connect(url) as connection:
        number = next(
            n for n in range(world.files) if world.file(n).state == "archived" and world.file(n).versions == 1
        )
        file_id = identity("file", number)
        connection.execute("UPDATE file_versions SET size_bytes = %s WHERE file_id = %s", [size, file_id])
        connection.execute("UPDATE file_records SET size_bytes = %s WHERE id = %s", [size, file_id])
        row = connection.execute("SELECT destination_path FROM file_transfers WHERE file_id = %s", [file_id]).fetchone()
    assert row, "an archived file has a transfer"
    path = storage / row[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
    return f"/api/files/{file_id}/content"


def haul(served: Served, token: str, path: str) -> Hauled:
    """Download the whole file, and watch the service's memory meanwhile."""
    before, peak, done = served.resident_mib, 0.0, Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(WATCH_SECONDS):
            peak = max(peak, served.resident_mib)

    watcher = Thread(target=watch)
    watcher.start()
    begun, received = time.perf_counter(), 0
    try:
        with _asked(served, token, path) as connection:
            buffer = bytearray(PIECE)
            while count := connection.recv_into(buffer):
                received += count
    finally:
        done.set()
        watcher.join()
    seconds = time.perf_counter() - begun
    return Hauled(received, received / MIB / seconds, max(0.0, peak - before))


def timed_beside_slow_downloads(served: Served, client: Client, asked: Asked, path: str, requests: int) -> Times:
    """The times of a list, while fifty clients download ``path``, each a few KiB a second."""
    done = Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(_asked(served, asked.token, path)) for _ in range(SLOW_CLIENTS)]
        reader = Thread(target=_read_slowly, args=(connections, done))
        reader.start()
        try:
            return timed(client, [asked], requests)[asked.name]
        finally:
            done.set()
            reader.join()


def _read_slowly(connections: list[socket.socket], done: Event) -> None:
    while not done.wait(SLOW_SECONDS):
        for connection in connections:
            connection.recv(SLOW_BYTES)


@contextmanager
def _asked(served: Served, token: str, path: str) -> Iterator[socket.socket]:
    """A connection on which the file has been asked for and begins to come."""
    with socket.create_connection((LOOPBACK, served.port), timeout=60) as connection:
        lines = [f"GET {path} HTTP/1.1", f"Host: {LOOPBACK}", f"Authorization: Bearer {token}", "Connection: close"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        status = connection.recv(64)
        if not status.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"{path}: {status!r}")
        yield connection
