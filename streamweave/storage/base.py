"""Where versions go: the contract of a storage location.

Every implementation passes the same contract suite (``tests/streamweave/storage``). Two kinds of names are used: a
*staged name* is a temporary file of one transfer (a word without separators); a *path* is a final place, relative to
the location, ``/``-separated, as ``streamweave.harvest.naming`` makes it. A path that would leave the location is
refused with ``StorageRefused``.

Every method may raise ``StorageUnavailable`` (full, I/O error: transient) or ``StorageRefused`` (not writable for us:
permanent). Those that take many files at once do each step for all of them side by side, as far as the storage gains by
that: a file system commits many files to its journal in one go, an object store answers many requests at a time. They
raise nothing; what went wrong with one file never stops the others.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from streamweave.errors import StorageError


class StagedWriter(Protocol):
    """A staged file that is being written."""

    def write(self, data: bytes) -> None:
        """Append ``data``, all of it."""

    def settle(self) -> int:
        """Bring what was written so far to the device; returns how many bytes, from the first on, can be read back.

        May be called by another thread while the file is being written. A storage whose files can't be read before they
        are complete returns 0.
        """


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

    def stage_whole(self, contents: Mapping[str, bytes]) -> dict[str, StorageError]:
        """Write many small staged files, given by their staged names; returns what went wrong, by staged name.

        The bytes of all others are on the device then; nothing stays of those that failed.
        """

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes | memoryview]:
        """Read a staged file back, from the device rather than from a cache where that can be asked for.

        From byte ``offset`` on, ``length`` bytes or to its end. A file that is still being written can be read as far
        as its writer has settled. A piece may be gone when the next one is asked for: what is kept must be copied.
        """

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """Read many small staged files back as ``read_staged`` does: the content or the error of each, in order."""

    def publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name, atomically, and drop the staged name.

        Raises ``DestinationOccupied`` when anything stands under ``path`` already; the staged file is then kept.
        """

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """Publish many staged files: maps staged names to paths, and returns what went wrong, by staged name.

        Of several for one path any one may get it.
        """

    def make_durable(self, paths: Iterable[str]) -> None:
        """Return when the names of the published ``paths`` will survive a loss of power."""

    def read(
        self, path: str, offset: int = 0, length: int | None = None, *, uncached: bool = False
    ) -> Generator[bytes, None, None]:
        """Read a published file from byte ``offset`` on, ``length`` bytes or to its end, in pieces.

        ``uncached`` reads from the device rather than from a cache, where that can be asked for.

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
