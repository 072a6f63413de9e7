"""What a process of ours measures of itself, and hands to the benchmark that started it."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.errors import BenchmarkFailed
from benchmarks.programs import run_to_its_end

STATUS = Path("/proc/self/status")  # proc_pid_status(5)


@dataclass
class Measured:
    """Seconds and processor seconds by phase, whatever was counted, and the most memory that was resident (bytes)."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    peak_bytes: int = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the block."""
        started, cpu_started = time.monotonic(), time.process_time()
        yield
        self.seconds[name] = time.monotonic() - started
        self.cpu_seconds[name] = time.process_time() - cpu_started

    def hand_over(self, path: Path) -> None:
        """Write everything down, as the last thing."""
        self.peak_bytes = _peak_bytes()
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def of_process(cls, module: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> Self:
        """Run one of our modules in a process of its own and read what it measured.

        Raises ``BenchmarkFailed`` unless it succeeds.
        """
        result = folder / "measured.json"
        result.unlink(missing_ok=True)
        run_to_its_end([sys.executable, "-m", module, *arguments, str(result)], environment=environment)
        if not result.exists():
            raise BenchmarkFailed(f"{module} measured nothing")
        return cls(**json.loads(result.read_text()))


def _peak_bytes() -> int:
    """Of this program alone: what getrusage(2) returns includes the process that it was forked from."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkFailed(f"{STATUS} does not contain the peak of the resident memory")
