"""A disk that loses its power: a file system in a file (a loop device), which goes on with what had reached that file.

What the kernel has given to the device is in the file; what it has yet to write does not. A copy of the file, taken
while the file system is still mounted, is therefore what a power failure leaves of a device that has no cache of its
own. Whoever wrote to it is dead by then, or it would be a copy of different moments; the kernel itself writes what is
some seconds old, and seldom just then.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from soak.errors import SoakFailed
from streamweave.storage import flushing, staging

DISK_BYTES = 320 << 20  # the least that an XFS needs, most of it never written
SEARCH_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
Mounted = TypeVar("Mounted")
REPAIRED = 1  # e2fsck(8): errors were found, and corrected


@dataclass(frozen=True, slots=True)
class FileSystem:
    """How it is made, and made whole again after a failure where its kernel doesn't see to that at its mounting."""

    making: Sequence[str]
    repairing: Sequence[str] = ()
    mounting: str = "loop"

    @property
    def is_here(self) -> bool:
        """Whether its programs are installed."""
        return all(shutil.which(each[0], path=SEARCH_PATH) for each in (self.making, self.repairing) if each)


FILE_SYSTEMS: Final[Mapping[str, FileSystem]] = {
    "ext4": FileSystem(["mkfs.ext4", "-q"], ["e2fsck", "-fy"], "loop,commit=60"),  # not by itself within a trial
    "ext4 without a journal": FileSystem(["mkfs.ext4", "-q", "-O", "^has_journal"], ["e2fsck", "-fy"]),
    "xfs": FileSystem(["mkfs.xfs", "-q"]),
}


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in ``file``, mounted on ``folder``."""

    kind: FileSystem
    file: Path
    folder: Path

    @property
    def left(self) -> Path:
        """Where the copy is made."""
        return self.file.with_suffix(".left")

    def lose_power(self) -> None:
        """What was on its way to the device is gone. The file system is mounted anew, on what is left."""
        _run("cp", "--sparse=always", str(self.file), str(self.left))
        _run("umount", str(self.folder))
        self.left.replace(self.file)
        if self.kind.repairing:
            _run(*self.kind.repairing, str(self.file), fine=(0, REPAIRED))
        self.mount()

    def mount(self) -> None:
        """As a machine does when it starts."""
        _run("mount", "-o", self.kind.mounting, str(self.file), str(self.folder))


@contextmanager
def disk(kind: FileSystem, file: Path, folder: Path) -> Iterator[Disk]:
    """A new one, until the block ends. Raises ``SoakFailed`` when it can't be made or mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as image:
        image.truncate(DISK_BYTES)
    one = Disk(kind, file, folder)
    try:
        _run(*kind.making, str(file))
        one.mount()
        yield one
    finally:
        if folder.is_mount():
            _run("umount", "--lazy", str(folder))
        for place in (one.file, one.left):
            place.unlink(missing_ok=True)


@contextmanager
def with_its_contents(mounting: AbstractContextManager[Mounted], folder: Path) -> Iterator[Mounted]:
    """Mount a file system on ``folder``, onto which the folder's contents are copied first, as when a disk is added."""
    with tempfile.TemporaryDirectory() as kept:
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        with mounting as mounted:
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            os.sync()
            yield mounted


def forget_to_flush() -> None:
    """From here on, this process leaves it to the kernel when to write what it has written."""
    for module, name in ((os, "fsync"), (staging, "_flush_data"), (flushing, "flush_file_system")):
        setattr(module, name, lambda handle: True)


def _run(*command: str, fine: Sequence[int] = (0,)) -> None:
    program = shutil.which(command[0], path=SEARCH_PATH)
    if program is None:
        raise SoakFailed(f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode not in fine:
        raise SoakFailed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
