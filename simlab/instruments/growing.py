"""A recording that grows row by row under its final name, and stays open until its last row."""

import time
from collections.abc import Iterator
from pathlib import Path

from simlab.instruments.step import Sleep, Step

HEADER = b"time_s,intensity\n"


def growing_file(
    folder: Path, name: str, *, rows: int = 30, pause_seconds: float = 1.0, sleep: Sleep = time.sleep
) -> Iterator[Step]:
    """Write a CSV of `rows` rows to `folder/name`, one every `pause_seconds`, each on the disk when it is reported.

    `name` may lie in subfolders; they are made.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(HEADER)
        for row in range(rows):
            file.write(f"{row * pause_seconds:.3f},{1000 + row * 37 % 500}\n".encode())
            file.flush()
            yield Step(path, file.tell(), finished=False)
            sleep(pause_seconds)
        size = file.tell()
    yield Step(path, size, finished=True)
