"""Faults of what stands on a share: gone, denied, or another thing than it seems."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from simlab.faults.line import once_passed, unharmed
from simlab.faults.stage import Stage

APPENDED = b"and one more row\n" * 4_000
KEPT_OF_TEN = 1
OTHER_BYTES = bytes(reversed(range(256)))


@contextmanager
def denies_one_file(stage: Stage) -> Iterator[None]:
    """The account may not read the first file; served by another user than root, whom nothing is denied."""
    file = stage.files()[0]
    mode = file.stat().st_mode
    file.chmod(0)
    try:
        yield
    finally:
        file.chmod(mode)


@contextmanager
def comes_back_empty(stage: Stage) -> Iterator[None]:
    """The share is there, and empty, as the mount point of a disk that isn't mounted is."""
    with _aside(stage, sorted(stage.folder.iterdir())):
        yield


@contextmanager
def comes_back_shrunken(stage: Stage) -> Iterator[None]:
    """Of ten files one is left on the share."""
    with _aside(stage, [file for number, file in enumerate(stage.files()) if number % 10 >= KEPT_OF_TEN]):
        yield


@contextmanager
def _aside(stage: Stage, what: Iterable[Path]) -> Iterator[None]:
    aside = stage.folder.with_name(f"{stage.folder.name}.aside")
    moved = []
    for place in what:
        away = aside / place.relative_to(stage.folder)
        away.parent.mkdir(parents=True, exist_ok=True)
        place.rename(away)
        moved.append((away, place))
    try:
        yield
    finally:
        for away, place in moved:
            away.rename(place)


@contextmanager
def swaps_a_content(stage: Stage) -> Iterator[None]:
    """The first file gets another content of the same size, and its old mtime; it keeps them."""
    file = stage.files()[0]
    shown = file.stat()
    with file.open("r+b") as content:
        old = content.read()
        content.seek(0)
        content.write(old.translate(OTHER_BYTES))
    os.utime(file, ns=(shown.st_atime_ns, shown.st_mtime_ns))
    yield


@contextmanager
def _during_copy(stage: Stage, act: Callable[[Path], None]) -> Iterator[None]:
    largest = stage.largest()
    stage.line.damage = once_passed(stage.half_of_the_largest(), lambda: act(largest))
    try:
        yield
    finally:
        stage.line.damage = unharmed


@contextmanager
def appends_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument appends to the largest file when half of it has been copied."""

    def append(file: Path) -> None:
        with file.open("ab") as content:
            content.write(APPENDED)

    with _during_copy(stage, append):
        yield


@contextmanager
def rewrites_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument writes the largest file anew, as long as before, when half of it has been copied."""

    def rewrite(file: Path) -> None:
        file.write_bytes(file.read_bytes().translate(OTHER_BYTES))

    with _during_copy(stage, rewrite):
        yield


@contextmanager
def renames_during_copy(stage: Stage) -> Iterator[None]:
    """The instrument renames the largest file when half of it has been copied."""
    with _during_copy(stage, lambda file: os.rename(file, file.with_name(f"renamed {file.name}"))):
        yield


@contextmanager
def deletes_during_copy(stage: Stage) -> Iterator[None]:
    """Somebody deletes the largest file when half of it has been copied."""
    with _during_copy(stage, os.unlink):
        yield
