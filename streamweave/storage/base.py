"""Where versions go: the contract of a storage location.

Every implementation passes the same contract suite (``tests/streamweave/storage``). Two kinds of names are used: a
*staged name* is a temporary file of one transfer (a word without separators); a *path* is a final place, relative to
the location, ``/``-separated, as ``streamweave.harvest.naming`` makes it. A path that would leave the location is
refused with ``StorageRefused``.

Every method may raise ``StorageUnavailable`` (full, I/O error: transient) or ``StorageRefused`` (not writable for us:
permanent).
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class StagedWriter(Protocol):
    """A staged file that is being written."""

    def write(self, data: bytes) -> None:
        """Append ``data``, all of it."""


class Storage(Protocol):
    """A storage location that can be written to and read from. Safe to share between threads."""

    def prepare(self, *, holds_versions: bool) -> None:
        """Make ready for writing, and mark the location as ours.

        ``holds_versions`` says that the catalog knows of versions in this location: then a location without our mark is
        not the place it was (a disk that isn't mounted, say) and raises ``StorageRefused`` rather than being filled
        anew.
        """

    def stage(self, staged_name: str) -> AbstractContextManager[StagedWriter]:
        """Write a staged file from its beginning. A block that ends without an error leaves its bytes on the device."""

    def read_staged(self, staged_name: str) -> Iterator[bytes]:
        """Read a staged file back, from the device rather than from a cache where that can be asked for."""

    def publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name, atomically, and drop the staged name.

        Raises ``DestinationOccupied`` when anything stands under ``path`` already; the staged file is then kept.
        """

    def make_durable(self, paths: Iterable[str]) -> None:
        """Return when the names of the published ``paths`` will survive a loss of power."""

    def read(self, path: str, offset: int = 0, length: int | None = None) -> Generator[bytes, None, None]:
        """Read a published file from byte ``offset`` on, ``length`` bytes or to its end, in pieces.

        Fewer bytes come when the file ends before. Raises ``StorageRefused`` when nothing stands there. Nothing is
        opened before the first piece is asked for; ``close()`` lets go of the file before its end.
        """

    def exists(self, path: str) -> bool:
        """Whether anything stands under ``path``."""

    def paths(self) -> Iterator[str]:
        """Every published file, in no order; nothing staged."""

    def staged_names(self) -> list[str]:
        """The staged files that stand at this moment."""

    def discard(self, staged_name: str) -> None:
        """Remove a staged file; it is fine if there is none."""

    def address(self, path: str) -> str:
        """How a person would name the place of ``path``: the full path of a file."""
