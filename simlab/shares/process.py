"""A share server that runs as a process group of its own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self
from uuid import uuid4

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException
from smbprotocol.session import Session

from simlab.errors import ShareServerError
from simlab.shares.base import HOST

START_SECONDS = 20.0
STOP_SECONDS = 5.0
LOG_TAIL_CHARACTERS = 2_000


class ServerProcess:
    """A `ShareServer` made of processes.

    The command must end when its standard input does. The pipe behind that input is held by us alone, so the
    kernel closes it when we die, even of SIGKILL. (A parent-death signal would follow the *thread* that started
    the server, which may end long before the process.)
    """

    host = HOST

    def __init__(
        self,
        kind: str,
        command: Sequence[str],
        *,
        port: int,
        username: str,
        password: str,
        log: Path,
        clean_up: Callable[[], None],
    ) -> None:
        self.kind, self.port, self.username, self.password = kind, port, username, password
        self._log = log
        self._clean_up = clean_up
        log.write_bytes(b"")
        with log.open("ab") as output:  # smbd itself appends to it too
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )

    @classmethod
    def start(
        cls,
        kind: str,
        command: Sequence[str],
        *,
        port: int,
        username: str,
        password: str,
        log: Path,
        clean_up: Callable[[], None] = lambda: None,
    ) -> Self:
        """Start `command`, its output going to `log`, and return when its user can sign in.

        `clean_up` is called once after it has stopped. Raises `ShareServerError`.
        """
        server = cls(kind, command, port=port, username=username, password=password, log=log, clean_up=clean_up)
        try:
            server._wait_until_it_answers()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """The main process, leader of the group."""
        return self._process.pid

    def stop(self) -> None:
        """End every process of the group: politely, then (a frozen one, say) by force."""
        if self._process.stdin is None or self._process.stdin.closed:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._clean_up()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._lets_its_user_in():
            if self._process.poll() is not None:
                raise ShareServerError(f"{self.kind} ended while starting: {self._log_tail()}")
            if time.monotonic() > deadline:
                raise ShareServerError(f"{self.kind} did not answer on port {self.port}: {self._log_tail()}")
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _lets_its_user_in(self) -> bool:
        connection = Connection(uuid4(), self.host, self.port)
        try:
            connection.connect(timeout=START_SECONDS)
            session = Session(connection, self.username, self.password, require_encryption=False)
            session.connect()
        except (OSError, ValueError, SMBException):  # a refused connection is a plain ValueError
            return False
        finally:
            connection.disconnect(close=True)
        return True

    def _log_tail(self) -> str:
        text = self._log.read_text(errors="replace").strip()
        return text[-LOG_TAIL_CHARACTERS:] or "it left no message"
