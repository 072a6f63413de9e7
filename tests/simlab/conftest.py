import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import smbclient

from simlab.shares import ShareServer

DEADLINE_SECONDS = 20.0


class Client:
    """Reads a server's shares as a client elsewhere would, over a connection of its own."""

    def __init__(self, server: ShareServer, password: str | None = None) -> None:
        self._host = server.host
        self._session: dict[str, Any] = {
            "username": server.username,
            "password": server.password if password is None else password,
            "port": server.port,
            "connection_cache": {},
        }

    def names_in(self, share: str) -> set[str]:
        return set(smbclient.listdir(rf"\\{self._host}\{share}", **self._session))

    def read(self, share: str, name: str) -> bytes:
        with smbclient.open_file(rf"\\{self._host}\{share}\{name}", mode="rb", **self._session) as file:
            return file.read()

    def write(self, share: str, name: str, content: bytes) -> None:
        with smbclient.open_file(rf"\\{self._host}\{share}\{name}", mode="wb", **self._session) as file:
            file.write(content)

    def close(self) -> None:
        smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._session["connection_cache"])


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(server: ShareServer, password: str | None = None) -> Client:
        clients.append(Client(server, password))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def left_running() -> Callable[[list[psutil.Process]], list[psutil.Process]]:
    """Those of the processes that still run after a while; a zombie that nobody has waited for has ended."""

    def wait(processes: list[psutil.Process]) -> list[psutil.Process]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (running := [each for each in processes if _is_running(each)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        return running

    return wait
