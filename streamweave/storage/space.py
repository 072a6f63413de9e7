"""How much room is left where posix locations are. An object store has no end that we could ask for."""

import os
from dataclasses import dataclass

from streamweave.storage.marking import answered


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system: all of it, and what is free for us."""

    total: int
    free: int


def space_at(path: str) -> Space | None:
    """The room in the file system that holds ``path``; None when it isn't there, or doesn't answer in time."""
    try:
        found = answered(f"space at {path}", lambda: os.statvfs(path))
    except (OSError, TimeoutError):
        return None
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
