"""The service as ``streamweave up`` runs it, as a process of its own, over a catalog that is there."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from streamweave.settings import Settings
from streamweave_cli.home import Home
from streamweave_cli.programs import Ports, api, system_environment
from streamweave_cli.readiness import LOOPBACK, free_port

POLL_SECONDS = 0.1
STOP_SECONDS = 20
MIB = 1024 * 1024


@dataclass(frozen=True)
class Served:
    """A service that answers on ``port`` of loopback."""

    port: int
    process: psutil.Process

    @property
    def resident_mib(self) -> float:
        """Its resident memory."""
        return float(self.process.memory_info().rss) / MIB


@contextmanager
def serving(settings: Settings, home: Home, variables: Mapping[str, str] = MappingProxyType({})) -> Iterator[Served]:
    """The service, once it answers; it is stopped at the end. ``variables`` are added to its environment.

    Raises ``TimeoutError`` or ``ChildProcessError``.
    """
    ports = Ports(api=free_port(), dagster=free_port(), code_server=free_port())
    program = api(ports, {**system_environment(home, settings, ports), **variables})
    with (home.run / "api.log").open("ab") as log:
        process = subprocess.Popen(program.command, env=program.environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + program.ready_seconds
        while not program.ready():
            if process.poll() is not None:
                raise ChildProcessError(f"the service has ended: see {Path(log.name)}")
            if time.monotonic() > deadline:
                raise TimeoutError("the service does not answer")
            time.sleep(POLL_SECONDS)
        yield Served(ports.api, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def address(served: Served) -> str:
    """Where it listens."""
    return f"http://{LOOPBACK}:{served.port}"
