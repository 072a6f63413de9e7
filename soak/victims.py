"""Victims, seen from whoever orders them: one process that forks them, spoken to over its pipes."""

import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from soak.errors import SoakFailed
from soak.orders import End, Order

PATIENCE_SECONDS = 2_000.0  # a victim that hangs is ended earlier than that by the process that forked it
CHECKOUT = Path(__file__).parent.parent


class Victims:
    """Harvests that run one at a time, each in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, order: Order) -> End:
        """Run a harvest to its end."""
        self.begin(order)
        return self.end()

    def begin(self, order: Order) -> None:
        """Let a harvest begin."""
        assert self._process.stdin is not None, "a pipe was asked for"
        self._process.stdin.write(order.as_json() + "\n")
        self._process.stdin.flush()

    def end(self) -> End:
        """How the harvest that was begun has ended, waited for."""
        output = self._process.stdout
        assert output is not None, "a pipe was asked for"
        ready, _, _ = select.select([output], [], [], PATIENCE_SECONDS)
        line = output.readline() if ready else ""
        if not line:
            raise SoakFailed("the process that forks the victims does not answer any more")
        return End(**json.loads(line))


@contextmanager
def victims(work: Path) -> Iterator[Victims]:
    """A process to fork victims from, until the block ends; what they complain of goes to a file in ``work``."""
    with (work / "victims.log").open("ab") as log, _forking(log) as process:
        yield Victims(process)


@contextmanager
def _forking(log: BinaryIO) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "soak.victim_process"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None, "a pipe was asked for"
            pipe.close()
        process.wait(PATIENCE_SECONDS)
