"""Shares to list and read: in memory, and on every kind of SMB server that can run here."""

import os
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from fakes.memory_source import Laboratory
from simlab.shares import Share, ShareServer, available_kinds, serve
from streamweave.sources.base import Source
from streamweave.sources.smb import SmbAddress, SmbSource
from streamweave.sources.smb.address import Engine

# What impacket lacks (share modes, locks, a dialect later than SMB 2.0.2) can be shown with Samba only.
NEED_SAMBA = [
    "test_smb_with_samba.py",
    "test_smb_protection.py",
    "test_smb_on_a_bad_line.py",
    "test_smb_engines.py",
    "test_smb_beside_a_writer.py",
]
collect_ignore = [] if "samba" in available_kinds() else NEED_SAMBA

SHARE = "microscope"
MTIME = datetime(2025, 3, 9, 12, 30, 15, tzinfo=UTC)

# impacket knows no multi-credit operations: no engine but the public one reads from it
SERVERS_AND_ENGINES = [
    f"{kind}-{engine}"
    for kind in available_kinds()
    for engine in ("auto", "public")
    if (kind, engine) != ("impacket", "auto")
]

ServerOfKind = Callable[[str], ShareServer]


class Bench(Protocol):
    """A share that a test fills. Paths are relative to the base folder."""

    @property
    def base(self) -> str:
        """The base folder written like a ``source_path``."""

    @property
    def many(self) -> int:
        """How many files in a folder take more answers than one compound brings."""

    def write(self, path: str, content: bytes) -> None:
        """Make or rewrite a file, last changed at ``MTIME``."""

    def append(self, path: str, content: bytes) -> None:
        """Let a file grow."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def make_folder(self, path: str) -> None:
        """Make a folder."""

    def source(self) -> Source:
        """One more connection; closed when the test ends."""


@dataclass
class MemoryBench:
    """A share in memory."""

    laboratory: Laboratory = field(default_factory=lambda: Laboratory(SHARE, chunk_bytes=1 << 16))
    base: str = SHARE
    many: int = 5_000

    def write(self, path: str, content: bytes) -> None:
        self.laboratory.write(f"{self.base}/{path}", content, MTIME)

    def append(self, path: str, content: bytes) -> None:
        self.laboratory.append(f"{self.base}/{path}", content)

    def remove(self, path: str) -> None:
        self.laboratory.remove(f"{self.base}/{path}")

    def make_folder(self, path: str) -> None:
        self.laboratory.folders.add(f"{self.base}/{path}")

    def source(self) -> Source:
        return self.laboratory.source()


@dataclass
class SmbBench:
    """A folder of its own in a share that a real server serves."""

    folder: Path
    address: SmbAddress
    closing: ExitStack
    many: int = 6_000

    @property
    def base(self) -> str:
        return self.address.base_folder

    def write(self, path: str, content: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (MTIME.timestamp(), MTIME.timestamp()))

    def append(self, path: str, content: bytes) -> None:
        with (self.folder / path).open("ab") as file:
            file.write(content)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def make_folder(self, path: str) -> None:
        (self.folder / path).mkdir(parents=True)

    def source(self, **changes: Any) -> SmbSource:
        """One more connection, to an address with ``changes``."""
        source = SmbSource(replace(self.address, **changes))
        self.closing.callback(source.close)
        return source


@pytest.fixture(scope="session")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerOfKind]:
    """The server of a kind, started when it is first asked for; it serves the folder ``SHARE`` beside its own."""
    servers: dict[str, ShareServer] = {}
    folder = tmp_path_factory.mktemp("shares")
    with ExitStack() as running:

        def server_of_kind(kind: str) -> ShareServer:
            if kind not in servers:
                share = Share(SHARE, folder / kind / SHARE, writable=kind == "samba")
                share.folder.mkdir(parents=True)
                servers[kind] = running.enter_context(serve([share], kind=kind, work_folder=folder / kind / "server"))
            return servers[kind]

        yield server_of_kind


@pytest.fixture
def smb_bench_of(
    server_of: ServerOfKind, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., SmbBench]]:
    """A new bench on the common server of a kind, read by an engine."""
    with ExitStack() as closing:

        def smb_bench(kind: str, engine: Engine = "auto") -> SmbBench:
            server, name = server_of(kind), uuid.uuid4().hex
            folder = next(tmp_path_factory.getbasetemp().glob(f"shares*/{kind}/{SHARE}")) / name
            folder.mkdir()
            address = address_of(server, base_path=f"/{name}", engine=engine)
            # impacket's answers are short, and for each of them it looks at every file
            return SmbBench(folder, address, closing, 1_300 if kind == "impacket" else 6_000)

        yield smb_bench


@pytest.fixture(params=["memory", *SERVERS_AND_ENGINES])
def bench(request: pytest.FixtureRequest, smb_bench_of: Callable[..., SmbBench]) -> Bench:
    """An empty share of every implementation."""
    return MemoryBench() if request.param == "memory" else smb_bench_of(*request.param.split("-"))


@pytest.fixture(params=SERVERS_AND_ENGINES)
def smb_bench(request: pytest.FixtureRequest, smb_bench_of: Callable[..., SmbBench]) -> SmbBench:
    """An empty share on every kind of SMB server, read by every engine that can."""
    return smb_bench_of(*request.param.split("-"))


@pytest.fixture(params=["auto", "public"])
def samba_bench(request: pytest.FixtureRequest, smb_bench_of: Callable[..., SmbBench]) -> SmbBench:
    """An empty share on Samba, read by either engine."""
    return smb_bench_of("samba", request.param)


@dataclass
class OwnServer:
    """A server that a test may start, stop and start again at the same address."""

    kind: str
    folder: Path
    work_folder: Path
    engine: Engine = "auto"
    password: str = field(default_factory=secrets.token_urlsafe)
    port: int | None = None
    running: ExitStack = field(default_factory=ExitStack)
    closing: ExitStack = field(default_factory=ExitStack)

    def start(self, **options: str) -> ShareServer:
        server = self.running.enter_context(
            serve(
                [Share(SHARE, self.folder)],
                kind=self.kind,
                port=self.port,
                work_folder=self.work_folder,
                password=self.password,
                options={name.replace("_", " "): value for name, value in options.items()},
            )
        )
        self.port = server.port
        return server

    def stop(self) -> None:
        self.running.close()

    def bench(self, server: ShareServer, timeout_seconds: float = 30) -> SmbBench:
        address = address_of(server, base_path="/", engine=self.engine, timeout_seconds=timeout_seconds)
        return SmbBench(self.folder, address, self.closing)


@pytest.fixture(params=SERVERS_AND_ENGINES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnServer]:
    """A server of every kind for this test alone, not yet started."""
    (tmp_path / SHARE).mkdir()
    kind, engine = request.param.split("-")
    server = OwnServer(kind, tmp_path / SHARE, tmp_path / "server", engine)
    yield server
    server.closing.close()
    server.stop()


def address_of(
    server: ShareServer, *, base_path: str, engine: Engine = "auto", timeout_seconds: float = 30
) -> SmbAddress:
    login = server.username, server.password
    return SmbAddress(
        server.host, server.port, SHARE, base_path, *login, timeout_seconds=timeout_seconds, engine=engine
    )


@pytest.fixture
def own_server_on_samba(tmp_path: Path) -> Iterator[OwnServer]:
    """Samba for this test alone, not yet started."""
    (tmp_path / SHARE).mkdir()
    server = OwnServer("samba", tmp_path / SHARE, tmp_path / "server")
    yield server
    server.closing.close()
    server.stop()
