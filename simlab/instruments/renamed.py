"""A recording under a temporary name, renamed when it is complete."""

import time
from collections.abc import Iterator
from pathlib import Path

from simlab.instruments.growing import growing_file
from simlab.instruments.step import Sleep, Step

TEMPORARY_SUFFIX = ".tmp"


def renamed_file(
    folder: Path, name: str, *, rows: int = 30, pause_seconds: float = 1.0, sleep: Sleep = time.sleep
) -> Iterator[Step]:
    """Write as `growing_file` does, to `folder/name.tmp`, and rename that to `folder/name` at the end."""
    path = folder / name
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    size = 0
    temporary_name = name + TEMPORARY_SUFFIX
    for step in growing_file(folder, temporary_name, rows=rows, pause_seconds=pause_seconds, sleep=sleep):
        size = step.size
        if not step.finished:
            yield step
    (folder / temporary_name).rename(path)
    yield Step(path, size, finished=True)
