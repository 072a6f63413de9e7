"""An acquisition: a folder of many files that belong together, with a marker file when it is complete."""

import time
from collections.abc import Iterator
from pathlib import Path

from simlab.instruments.content import content_of
from simlab.instruments.step import Sleep, Step

MARKER = "done.txt"
FRAMES_PER_FOLDER = 10


def acquisition(
    folder: Path,
    name: str,
    *,
    files: int = 30,
    size: int = 4096,
    marker: bool = True,
    pause_seconds: float = 1.0,
    sleep: Sleep = time.sleep,
) -> Iterator[Step]:
    """Write `files` frames of `size` bytes into folders of ten below the new folder `folder/name`, one at each step.

    With `marker`, `done.txt` in it comes last.
    """
    acquisition_folder = folder / name
    acquisition_folder.mkdir(parents=True)
    for number in range(files):
        path = acquisition_folder / f"position_{number // FRAMES_PER_FOLDER:03d}" / f"frame_{number:06d}.raw"
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            file.writelines(content_of(size, first_block=number))
        yield Step(path, size, finished=True)
        sleep(pause_seconds)
    if marker:
        path = acquisition_folder / MARKER
        path.touch(exist_ok=False)
        yield Step(path, 0, finished=True)
