"""The orders of a victim: which harvest to run, and how it is to end. Handed over as JSON, one order a line."""

import json
import signal
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the code: the ``call``-th call of ``target`` (``module:name``), just before it, or just after."""

    target: str
    moment: str = "before"
    call: int = 1


@dataclass(frozen=True, slots=True)
class BrokenDisk:
    """Below ``folder`` the system answers with ``error`` (``ENOSPC``, say), once ``after_bytes`` were written there.

    Reading fails too when the error is ``EIO``; a disk without room, or one that is read-only, can be read.
    """

    folder: str
    error: str
    after_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One harvest in a process of its own.

    It ends by SIGKILL at ``kill_at``, or when it has run for ``kill_after_seconds``, or else by itself; one that does
    not within ``patience_seconds`` has hung, and is ended by SIGABRT. Its clock is
    ``ahead_seconds`` ahead of ours: it waits out no quiet period, and retries are due.
    """

    database_url: str
    encryption_keys: str
    instrument: str
    ahead_seconds: float = 0.0
    kill_at: Point | None = None
    kill_after_seconds: float | None = None
    patience_seconds: float = 120.0
    broken_disk: BrokenDisk | None = None
    flushes: bool = True
    """Otherwise it only seems to bring anything to the device, and ought to be found out."""
    counted: tuple[str, ...] = ()
    """Functions, named as in ``Point``: the victim says, as JSON, how often each was called."""

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def order_of(line: str) -> Order:
    """The order that ``as_json`` made the line of."""
    fields: dict[str, Any] = json.loads(line)
    point, disk, counted = fields.pop("kill_at"), fields.pop("broken_disk"), tuple(fields.pop("counted"))
    return Order(**fields, kill_at=point and Point(**point), broken_disk=disk and BrokenDisk(**disk), counted=counted)


@dataclass(frozen=True, slots=True)
class End:
    """How a victim ended: by which signal or exit code, after how long, and what it had to say.

    ``exit_code`` is that of ``streamweave harvest``: 0 done, 1 something is wrong with share or storage (``said``),
    2 it broke off (``said`` is the error).
    """

    seconds: float
    signal: int | None
    exit_code: int | None
    said: str = ""

    @property
    def was_killed(self) -> bool:
        """Whether it was killed, as it was to be."""
        return self.signal == signal.SIGKILL

    @property
    def hung(self) -> bool:
        """Whether it did not end by itself in time: then the process that forked it has ended it."""
        return self.signal == signal.SIGABRT

    @property
    def ended_well(self) -> bool:
        """Whether it did all that there was to do."""
        return self.exit_code == 0

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))
