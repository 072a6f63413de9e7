"""Where files come from: the contract behind which a share is listed and read.

Every implementation passes the same contract suite (``tests/streamweave/sources``).
"""

from collections.abc import Container, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from streamweave.errors import SourceError, SourceFileError

WHOLE_FILE_BYTES = 1 << 20
"""Files up to this size are read in one go; a larger one is opened and read in pieces."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as a listing shows it.

    ``source_path`` begins with the share's name and uses ``/``; it is valid Unicode and holds no NUL.
    ``mtime`` is in UTC, to the microsecond. ``unreadable`` says why the file can't be asked for by its name (then
    ``source_path`` shows the name with its invalid parts escaped, still unique); it is None for all others.
    """

    source_path: str
    size_bytes: int
    mtime: datetime
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class ListingLimits:
    """How large folders and shares may be; what lies beyond counts as a folder that can't be listed.

    They keep a server that makes up names without end from taking our memory, disk and time; no ordinary share comes
    near them. ``docs/operating.md`` says what they cost and when to raise them.
    """

    entries: int = 2_000_000
    """Files and folders directly in one folder."""
    seconds: float = 600.0
    """For one folder."""
    depth: int = 128
    """Folders below one another, the base folder not counted."""
    folders: int = 2_000_000
    """On the whole share, in one scan."""


@dataclass(frozen=True, slots=True)
class FolderListing:
    """One folder, listed completely, or a part of it, or the problem that prevented it.

    ``folder`` is written like a ``source_path``; ``folders`` is how many folders lie directly in it. With a ``problem``
    there are no files, and nothing may be concluded about the folder or anything below it.

    A folder of many files comes in parts, once its last name has arrived: only the first ``begins`` it and only the
    last ``ends`` it. ``folders`` counts those of the part. Nothing comes between them but folders in it that can't be
    listed.
    """

    folder: str
    files: tuple[SourceFile, ...]
    problem: SourceError | None = None
    folders: int = 0
    begins: bool = True
    ends: bool = True


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that was read in one go, and its size and mtime as it was opened and as it was closed."""

    content: bytes
    at_opening: SourceFile
    at_closing: SourceFile


class OpenSourceFile(Protocol):
    """A file that is open for reading, without hindering the instrument from writing, renaming or deleting it."""

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """The content from byte ``offset`` on, in order, in pieces of at most a few MiB.

        What the file gains while it is read is included. Nothing comes from an offset at or behind its end.

        Raises ``FileReadFailed``, ``FileInUse`` or ``SourceUnreachable``.
        """

    def now(self) -> SourceFile:
        """Size and mtime as the server reports them at this moment. Raises as ``chunks``."""


class FileOpener(Protocol):
    """What files can be read from, one at a time."""

    def open(self, source_path: str) -> AbstractContextManager[OpenSourceFile]:
        """Open a file for reading. Raises ``FileVanished``, ``FileDenied``, ``FileInUse`` or ``FileReadFailed``."""


class Source(FileOpener, Protocol):
    """One connection to one instrument's share. Not to be shared between threads: one for each worker.

    Connecting happens at the first use. Every method may raise ``SourceUnreachable``, ``CredentialsRefused``,
    ``ShareMissing``, ``BasePathMissing`` or ``ShareDenied``; after ``SourceUnreachable`` the next call connects again.
    No call blocks for longer than the source's timeout on a server that is silent.
    """

    def listings(self, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
        """Every folder below the base path, the base folder first, each once (or in parts), as it arrives.

        Folders in ``passing_over``, written like a ``source_path``, are left out with all that is below them. A folder
        that can't be listed is yielded with its problem, and the others follow; a base folder that can't be listed
        raises. Folders that are links, or lead back to one above them, are yielded with that problem, and not followed;
        so is what lies beyond the source's ``ListingLimits``.
        """

    def read_whole(self, files: Iterable[SourceFile]) -> Iterator[WholeFile | SourceFileError]:
        """Read many files in one go each: for every one, in the order of ``files``, its content or its own error.

        ``files`` are taken as the connection has room for more, several being under way at once; none may be larger
        than ``WHOLE_FILE_BYTES``. At most one byte more than the size that was listed is read, which shows growth.
        After an error of the whole connection, those that were not answered may be asked for again.
        """

    def has_open_writer(self, source_path: str) -> bool:
        """Whether another client holds the file open for writing. Never disturbs it.

        Raises ``FileVanished`` or ``FileDenied``.
        """

    def close(self) -> None:
        """Close the connection. Never raises; may be called twice."""
