"""One large file, written block by block."""

import time
from collections.abc import Iterator
from pathlib import Path

from simlab.instruments.content import content_of
from simlab.instruments.step import Sleep, Step


def large_file(
    folder: Path,
    name: str,
    *,
    size: int = 1_000_000_000,
    pause_seconds: float = 0.0,
    sleep: Sleep = time.sleep,
) -> Iterator[Step]:
    """Write `size` bytes to `folder/name`, 1 MiB every `pause_seconds`; memory holds one block, whatever the size."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for block in content_of(size):
            file.write(block)
            file.flush()
            yield Step(path, file.tell(), finished=False)
            sleep(pause_seconds)
    yield Step(path, size, finished=True)
