"""The mark of a storage location: a small JSON file that says which location of which catalog a place is.

It is written once, into ``.streamweave/location``, and compared before anything is written there, swept, verified or
certified. So an empty mount point, another disk, or a place that another catalog uses is never taken for the location.

A bind mount, a second mount of one export, or a link gives a folder a second path, and two storage locations on one
place would count one file as two copies: ``why_not_apart`` finds such twins.
"""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath

MARK = Path(".streamweave/location")
MOUNTS = Path("/proc/self/mountinfo")  # proc(5); Linux only
PURPOSE = "This is a storage location of StreamWeave. Do not change or remove this file."
EARLY_MARKS = (
    b"This folder is a storage location of StreamWeave. Do not remove this file.\n",
    b"This prefix is a storage location of StreamWeave. Do not remove this object.\n",
)
"""Marks of releases that did not write whose they are: of a folder, and of a prefix in a bucket."""
LONGEST_MARK = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Which location of which catalog a place is. ``made_at`` is UTC, in whole microseconds as the catalog keeps it."""

    location_id: uuid.UUID
    catalog_id: uuid.UUID
    made_at: datetime

    def content(self) -> bytes:
        fields = {
            "about": PURPOSE,
            "location_id": str(self.location_id),
            "catalog_id": str(self.catalog_id),
            "made_at": self.made_at.isoformat(),
        }
        return (json.dumps(fields, indent=2) + "\n").encode()


class NoMark(StrEnum):
    """Why a place has no mark that could be compared."""

    NO_FOLDER = "no such folder"  # posix only
    MISSING = "missing"
    EARLY = "early"  # one of ``EARLY_MARKS``
    UNREADABLE = "unreadable"


FoundMark = Mark | NoMark


def parse_mark(content: bytes | None) -> FoundMark:
    """The mark in these bytes; None for no mark at all."""
    if content is None:
        return NoMark.MISSING
    if content in EARLY_MARKS:
        return NoMark.EARLY
    try:
        fields = json.loads(content)
        made_at = datetime.fromisoformat(fields["made_at"])
        mark = Mark(uuid.UUID(fields["location_id"]), uuid.UUID(fields["catalog_id"]), made_at)
    except (ValueError, TypeError, KeyError, AttributeError):
        return NoMark.UNREADABLE
    return NoMark.UNREADABLE if made_at.tzinfo is None else mark


def refusal(place: str, found: FoundMark, expected: Mark, found_name: str | None = None) -> str | None:
    """Why ``place`` must not be used as the location that ``expected`` belongs to; None if it may be.

    A mark that was made later than the expected one is accepted: the catalog was restored from an older dump.
    ``found_name`` is the name of the location whose mark was found, if the catalog knows it.
    """
    match found:
        case NoMark.NO_FOLDER:
            return f"{place} is not there. Is the disk mounted?"
        case NoMark.MISSING:
            return f"{place} is not the place it was: no mark (.streamweave/location). Is the disk mounted?"
        case NoMark.EARLY:
            return f"{place}: its mark is of an earlier release and does not say whose it is"
        case NoMark.UNREADABLE:
            return f"{place}: its mark (.streamweave/location) can't be read as one; restore or adopt the place"
    if found.catalog_id != expected.catalog_id:
        return (
            f"{place} belongs to another catalog: its mark, made {_day(found)}, names catalog {found.catalog_id}, "
            f"not ours ({expected.catalog_id})"
        )
    if found.location_id != expected.location_id:
        other = f"{found_name!r}" if found_name else f"{found.location_id}, which the catalog does not know"
        return f"{place} has the mark of another storage location: {other}. Were disks exchanged or mounted twice?"
    if found.made_at < expected.made_at:
        return (
            f"{place} was replaced: its mark is of {_day(found)}, but the location was marked anew on "
            f"{_day(expected)}. Is an old disk mounted?"
        )
    return None


def _day(mark: Mark) -> str:
    return f"{mark.made_at:%Y-%m-%d %H:%M} UTC"


def why_not_apart(path: str, other: str) -> str | None:
    """How the folder ``path`` relates to ``other``: ``is the same place as``, ``lies in``, ``holds``, or None.

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


def mark_above(path: str) -> tuple[Path, FoundMark] | None:
    """The nearest folder above ``path`` that is marked as a storage location, with its mark."""
    for folder in Path(os.path.realpath(path)).parents:
        with suppress(OSError):  # there is no mark, or we may not read that folder
            return folder, parse_mark((folder / MARK).read_bytes())
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
    """Spaces, tabs, newlines and backslashes are written as octal numbers there."""
    for character in " \t\n\\":
        path = path.replace(f"\\{ord(character):03o}", character)
    return path
