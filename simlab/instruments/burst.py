"""Many small files at once, as a camera or a plate reader leaves them."""

import time
from collections.abc import Iterator
from pathlib import Path

from simlab.instruments.content import content_of
from simlab.instruments.step import Sleep, Step


def burst(
    folder: Path,
    name: str,
    *,
    files: int = 100,
    size: int = 4096,
    pause_seconds: float = 0.0,
    sleep: Sleep = time.sleep,
) -> Iterator[Step]:
    """Write `files` files of `size` bytes into the new folder `folder/name`, `pause_seconds` apart.

    No two of them have the same content if `size` is 8 or more.
    """
    burst_folder = folder / name
    burst_folder.mkdir(parents=True)
    for number in range(files):
        path = burst_folder / f"frame_{number:06d}.raw"
        with path.open("xb") as file:
            file.writelines(content_of(size, first_block=number))
        yield Step(path, size, finished=True)
        sleep(pause_seconds)
