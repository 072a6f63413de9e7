"""Folders that wait to be listed, held in little more memory than their names take."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamweave.sources.smb.interpretation import Folder

MOST_BYTES = 32 << 20
"""For the names of all folders that wait: about a million of them."""


@dataclass(slots=True)
class Siblings:
    """Folders beside each other, by their names: one string of bytes takes a tenth of what their paths would."""

    parent: str
    lineage: frozenset[int]
    names: bytes
    start: int = 0

    def next(self) -> Folder:
        """The first one that has not been taken yet."""
        end = self.names.find(b"/", self.start)
        name = self.names[self.start : end].decode()
        self.start = end + 1
        return Folder(f"{self.parent}/{name}", self.lineage)

    @property
    def is_used_up(self) -> bool:
        """Whether all were taken."""
        return self.start == len(self.names)


class WaitingFolders:
    """What lies deeper is taken first, so that few wait however large the share is."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._stack: list[Siblings] = []
        self._left = most_bytes

    def __bool__(self) -> bool:
        return bool(self._stack)

    def add(self, folders: Sequence[Folder]) -> bool:
        """Let folders with one parent wait. False: there is no room for them, and none of them was added."""
        if not folders:
            return True
        parent = folders[0].path.rpartition("/")[0]
        names = "".join(f"{folder.path.rpartition('/')[2]}/" for folder in folders).encode()
        if len(names) > self._left:
            return False
        self._left -= len(names)
        self._stack.append(Siblings(parent, folders[0].lineage, names))
        return True

    def take(self) -> Folder:
        """The next one."""
        siblings = self._stack[-1]
        folder = siblings.next()
        if siblings.is_used_up:
            self._stack.pop()
            self._left += len(siblings.names)
        return folder
