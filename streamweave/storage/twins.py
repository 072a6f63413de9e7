"""Twins: folders that are the same place, or one within the other, under paths that do not show it.

A bind mount, a second mount of one export, or a link gives a folder a second path. Two storage locations on one place
would count one file as two copies.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from streamweave.storage.marks import FoundMark, parse_mark

MOUNTS = Path("/proc/self/mountinfo")  # proc(5); Linux only
MARK = Path(".streamweave/location")


def why_not_apart(path: str, other: str) -> str | None:
    """How the folder ``path`` relates to ``other``: ``is the same place as``, ``lies in``, ``holds``; None: not at all.

    Folders are compared by device and inode, and by their places in the mounted file systems. What does not exist yet
    is compared by the folders above it.
    """
    ours, theirs = _identity(path), _identity(other)
    if ours is not None and ours == theirs:
        return "is the same place as"
    if theirs is not None and theirs in set(_identities_above(path)):
        return "lies in"
    if ours is not None and ours in set(_identities_above(other)):
        return "holds"
    return _within_one_file_system(_in_file_system(path), _in_file_system(other))


class MarkedFolder(NamedTuple):
    """A folder with the mark that stands in it."""

    folder: Path
    mark: FoundMark


def mark_above(path: str) -> MarkedFolder | None:
    """The nearest folder above ``path`` that is marked as a storage location."""
    for folder in Path(os.path.realpath(path)).parents:
        with suppress(OSError):  # there is no mark, or we may not look into that folder
            return MarkedFolder(folder, parse_mark((folder / MARK).read_bytes()))
    return None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _identities_above(path: str) -> Iterator[tuple[int, int]]:
    for folder in Path(os.path.realpath(path)).parents:
        if (identity := _identity(str(folder))) is not None:
            yield identity


def _within_one_file_system(
    ours: tuple[str, PurePosixPath] | None, theirs: tuple[str, PurePosixPath] | None
) -> str | None:
    if ours is None or theirs is None or ours[0] != theirs[0]:
        return None
    if ours[1] == theirs[1]:
        return "is the same place as"
    if ours[1].is_relative_to(theirs[1]):
        return "lies in"
    return "holds" if theirs[1].is_relative_to(ours[1]) else None


def _in_file_system(path: str) -> tuple[str, PurePosixPath] | None:
    """The number of the mounted file system that holds ``path``, and the path within it; None if that is not known."""
    real = PurePosixPath(os.path.realpath(path))
    holding = [mount for mount in _mounts() if real.is_relative_to(mount[2])]
    if not holding:
        return None
    device, root, mount_point = max(reversed(holding), key=lambda mount: len(mount[2].parts))  # the last hides others
    return device, root / real.relative_to(mount_point)


def _mounts() -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """Device number, path within the file system, and mount point of each mount, in the order of mounting."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, device, root, mount_point, *_ = line.split(" ")
        yield device, PurePosixPath(_unescaped(root)), PurePosixPath(_unescaped(mount_point))


def _unescaped(path: str) -> str:
    """Spaces, tabs, newlines and backslashes stand there as octal numbers."""
    for character in " \t\n\\":
        path = path.replace(f"\\{ord(character):03o}", character)
    return path
