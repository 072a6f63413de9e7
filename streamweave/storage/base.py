"""The contracts of a storage location, and of the journals it keeps of what was archived there.

Every implementation passes the same contract suite (``tests/streamweave/storage``). Two kinds of names are used: a
*staged name* is a temporary file of one transfer (a word without separators); a *path* is a final place, relative to
the location, ``/``-separated, as ``streamweave.storage.archive_paths`` makes it. A path that would leave the location
is refused with ``StorageRefused``.

Every method may raise ``StorageUnavailable`` (full, I/O error: transient) or ``StorageRefused`` (not writable for us:
permanent). Those that take many files at once do each step for all of them side by side, as far as the storage gains by
that: a file system commits many files to its journal in one go, an object store answers many requests at a time. They
raise nothing; what went wrong with one file never stops the others.
"""

import re
import uuid
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, Protocol

from streamweave.errors import StorageError, StorageRefused
from streamweave.storage.marks import FoundMark, Mark

JOURNALS = "journal"
"""The folder of all journals, within the location's own."""
HEAD = "head"
HEAD_BYTES = 128
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9A-Za-z-]{1,64}", re.ASCII)

NO_MTIMES: Mapping[str, datetime] = MappingProxyType({})


class CopyStat(NamedTuple):
    """What a storage knows of a published file without reading it: bytes, and nanoseconds since 1970 UTC.

    ``mtime_ns`` is when its content was last written, or the mtime that was set; in S3, when the object was put. It is
    no ``datetime``: a damaged file system may report times that none can hold.
    """

    size_bytes: int
    mtime_ns: int


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

    def prepare(self, mark: Mark, *, is_new: bool = False) -> None:
        """Compare the place's mark, make ready for writing, and prove that we can write there.

        A place that ``is_new`` is made if it does not exist, and given the mark. Any other place without this mark is
        refused with ``StorageRefused``, and nothing is made there: it may be a mount point without its disk.
        """

    def check_mark(self, mark: Mark) -> None:
        """Compare the place's mark with ``mark``; nothing is written.

        Raises ``StorageRefused`` with a sentence that says what is there instead. What is staged or published
        afterwards goes to the place that was compared, or is refused if another one was mounted there since.
        Staging needs a mark that was compared (it is separate for each catalog); reading published files does not.
        """

    def found_mark(self) -> FoundMark:
        """The mark of the place, of whatever catalog; ``NoMark`` says why there is none. A missing folder has none."""

    def put_mark(self, mark: Mark) -> None:
        """Mark an existing place, whatever mark it has: for one that is taken over on purpose."""

    def stage(self, staged_name: str, mtime: datetime | None = None) -> AbstractContextManager[StagedWriter]:
        """Write a staged file from its beginning. A block that ends without an error leaves its bytes on the device.

        ``mtime`` is when the source was last written; the copy carries it, where the storage keeps times.
        """

    def stage_whole(
        self, contents: Mapping[str, bytes], mtimes: Mapping[str, datetime] = NO_MTIMES
    ) -> dict[str, StorageError]:
        """Write many small staged files, given by their staged names; returns what went wrong, by staged name.

        The bytes of all others are on the device then; nothing is left of those that failed. ``mtimes`` by staged name,
        as for ``stage``.
        """

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes | memoryview]:
        """Read a staged file back, from the device rather than from a cache where that can be asked for.

        From byte ``offset`` on, ``length`` bytes or to its end. A file that is still being written can be read as far
        as its writer has settled. A piece may be gone when the next one is asked for: what is kept must be copied.
        """

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """Read many small staged files back as ``read_staged`` does: the content or the error of each, in order."""

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """Give staged files their final names, each atomically, and drop the staged names.

        ``paths`` are by staged name, and so is what is returned: what went wrong. That is ``DestinationOccupied`` when
        anything has the path already (of several files for one path any one may get it), and ``PathUnusable`` when a
        part of it can't be a folder, or the storage takes no such name. The staged file is kept then.
        """

    def make_durable(self, paths: Iterable[str]) -> None:
        """Return when the names of the published ``paths`` will survive a loss of power."""

    def read(
        self, path: str, offset: int = 0, length: int | None = None, *, uncached: bool = False
    ) -> Generator[bytes, None, None]:
        """Read a published file from byte ``offset`` on, ``length`` bytes or to its end, in pieces.

        ``uncached`` reads from the device rather than from a cache, where that can be asked for.

        Fewer bytes come when the file ends before. Raises ``StorageRefused`` when there is no such file. Nothing is
        opened before the first piece is asked for; ``close()`` closes the file before its end.
        """

    def exists(self, path: str) -> bool:
        """Whether anything exists under ``path``. A location that is not there at all raises."""

    def stat_many(self, paths: Sequence[str]) -> list[CopyStat | StorageError | None]:
        """What exists at each of these paths now, in their order.

        None where nothing exists. ``NotAFile`` where a folder, a link or the like does; another ``StorageError`` where
        this one path can't be asked about. A location that is not there, or doesn't answer, raises ``StorageRefused``
        or ``StorageUnavailable`` rather than having nothing anywhere.
        """

    def paths(self) -> Iterator[str]:
        """Every published file, in no order; nothing staged. A location that is not there at all raises."""

    def staged_names(self) -> list[str]:
        """The files of this catalog that are staged at this moment."""

    def early_staged_names(self) -> list[str]:
        """Files that were staged by a release in which all catalogs shared one staging area."""

    def discard_early(self, staged_name: str) -> None:
        """Remove one of these, if it exists."""

    def discard(self, staged_name: str) -> None:
        """Remove a staged file, if it exists."""

    def journal(self, catalog_id: uuid.UUID) -> "Journal":
        """The journals that this catalog keeps here of what it archives."""

    def address(self, path: str) -> str:
        """The full path or URL of ``path``, as a person names it."""


class Reached(NamedTuple):
    """A journal and its length in bytes."""

    name: str
    size: int


NOT_LEGIBLE = Reached("", 0)
"""A head that says nothing: its writer crashed, or it was changed or lost. Every journal has to be read."""


class Journal(Protocol):
    """The journals of one catalog in one storage location: what it archived there, beside the files themselves.

    A journal is a file of lines that one writer alone appends to; the writer remembers how long it is. Its name is
    ``day/word``, so that the newest come last. The *head* names the journal that was written to last: one small read
    shows whether anything was archived that a catalog does not know of. ``streamweave.journal`` makes and reads the
    lines. Every method may raise a ``StorageError``.
    """

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """Write ``lines`` at byte ``offset``, which is the end of the journal ``name``; 0 begins it.

        Returns when they will survive a loss of power. What a failed call left behind ``offset`` is replaced. Only the
        writer that began a journal appends to it: nothing is locked, since network file systems can't.
        """

    def head(self) -> Reached | None:
        """The journal that was last appended to; None when there is no journal, ``NOT_LEGIBLE`` when only the head is
        missing. Raises when the location does not exist.
        """

    def sizes(self, since: str = "") -> dict[str, int]:
        """The lengths of all journals whose names are not less than ``since``, in the order of their names.

        Whatever else is in their folder, such as what a desktop or a synchronising program leaves, is skipped.
        """

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """A journal's bytes from ``offset`` on, in pieces."""


def is_name(name: str) -> bool:
    """Whether a journal can have this name."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """The same name. Raises ``StorageRefused`` for one that no journal can have."""
    if not is_name(name):
        raise StorageRefused(f"{name!r} is not a name of a journal")
    return name


def head_content(reached: Reached) -> bytes:
    """What a head holds: always as many bytes, so that one write replaces another completely."""
    return f"{reached.name} {reached.size}".encode().ljust(HEAD_BYTES - 1) + b"\n"


def parse_head(content: bytes) -> Reached:
    """The journal that a head names; ``NOT_LEGIBLE`` if it names none."""
    name, _, size = content.decode(errors="replace").strip().partition(" ")
    return Reached(name, int(size)) if is_name(name) and size.isdecimal() else NOT_LEGIBLE


class Leftovers(NamedTuple):
    """Names of staged files that no transfer in progress writes: interrupted runs leave them.

    ``early`` ones are from when all catalogs shared one staging area: they may belong to another.
    """

    own: list[str]
    early: list[str]


def find_leftovers(storage: Storage, names_under_way: Callable[[], Container[str]]) -> Leftovers:
    """All staged files but those in progress, whose names are read last: a file is claimed before it is staged."""
    own, early = storage.staged_names(), storage.early_staged_names()
    under_way = names_under_way()
    return Leftovers(*([name for name in names if name not in under_way] for names in (own, early)))


def discard_leftovers(storage: Storage, leftovers: Leftovers) -> int:
    """Remove these; returns how many they are."""
    for name in leftovers.own:
        storage.discard(name)
    for name in leftovers.early:
        storage.discard_early(name)
    return len(leftovers.own) + len(leftovers.early)
