"""Generators: they write into an instrument's folder the way instruments do.

Each is an iterator that writes one step whenever it is asked for the next, and yields what is on disk then. It pauses
between steps by calling `sleep`, so a test can step through a recording without waiting. None overwrites a file:
`FileExistsError` is raised instead.
"""

import functools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Sleep = Callable[[float], object]


@dataclass(frozen=True)
class Step:
    """A file's size in bytes at this moment, and whether the instrument has finished it."""

    path: Path
    size: int
    finished: bool


BLOCK_BYTES = 1024 * 1024
COUNTER_BYTES = 8


def content_of(size: int, *, first_block: int = 0) -> Iterator[bytes]:
    """Yield `size` bytes in blocks of 1 MiB (the last may be shorter), the first of which has the number given."""
    for number, start in enumerate(range(0, size, BLOCK_BYTES), first_block):
        block = number.to_bytes(COUNTER_BYTES, "little") + _noise()
        yield block[: size - start]


@functools.cache
def _noise() -> bytes:
    return random.Random(0).randbytes(BLOCK_BYTES - COUNTER_BYTES)


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
