"""What a share is, and what every kind of share server promises."""

import contextlib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Share:
    """A local folder served as `//host/name`; read-only to its clients unless `writable`."""

    name: str
    folder: Path
    writable: bool = False


class ShareServer(Protocol):
    """A running SMB server on loopback that lets exactly one user in, by password (NTLMv2).

    It ends with the process that started it, however that process ends.
    """

    @property
    def kind(self) -> str:
        """`samba` or `impacket`."""

    @property
    def host(self) -> str:
        """The address it listens on."""

    @property
    def port(self) -> int:
        """The TCP port it listens on."""

    @property
    def username(self) -> str:
        """The one user it lets in."""

    @property
    def password(self) -> str:
        """That user's password."""

    @property
    def pid(self) -> int:
        """The server's main process, leader of the process group that all its processes belong to."""

    def stop(self) -> None:
        """End the server and every process of it. Safe to call again."""


class ShareServerKind(Protocol):
    """A way to serve shares: what `simlab.shares.samba` and `simlab.shares.impacket` both are."""

    KIND: str

    def is_available(self) -> bool:
        """Whether it can run here."""

    def start(
        self,
        shares: Sequence[Share],
        *,
        port: int,
        work_folder: Path,
        username: str,
        password: str,
        options: Mapping[str, str],
    ) -> ShareServer:
        """Start a server with its files in `work_folder`; return once its user can sign in.

        Raises `ShareServerError`, having left nothing behind that runs.
        """


def free_port() -> int:
    """Return a TCP port on loopback that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether nothing listens on the TCP `port` of loopback."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        # as servers do: connections of an earlier server that linger in TIME_WAIT don't count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False
