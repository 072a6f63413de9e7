"""Listing a share: deeper folders first, many folders in flight.

A folder costs one compound (open, two queries, close); one that needs more than two answers, or that the server can't
list within a compound, is listed through a handle that is held. Its names are kept in a temporary file until the last
one has arrived, and yielded in parts: so memory is bounded however many there are, and no folder is listed by halves.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from time import monotonic

from streamweave.errors import (
    FileReadFailed,
    FileUnreadable,
    FolderBeyondLimits,
    SourceError,
    SourceFileError,
    SourceUnreachable,
)
from streamweave.sources.base import FolderListing, ListingLimits, SourceFile
from streamweave.sources.smb import answers
from streamweave.sources.smb.address import (
    TOO_LONG,
    UNASKABLE,
    from_filetime,
    is_askable,
    is_possible,
    is_too_long,
    shown,
)
from streamweave.sources.smb.answers import Entry, parse_entries
from streamweave.sources.smb.connection import CREDIT_BYTES, ShareConnection, Ticket
from streamweave.sources.smb.errors import BASE_FOLDER, FILE, INTERNAL_ERROR, NO_MORE_FILES, NO_SUCH_FILE, Refused

LINK = "it is a link, which is not followed"
LEADS_BACK = "it is a folder above it once more, by the server's number for it, and is not followed"
LARGEST_FILE_BYTES = 1 << 60
"""An exbibyte: no file is larger, and sums of such sizes would overflow."""
LONGEST_PATH = 8_192
"""In characters: a quarter of what the protocol allows ([MS-FSCC] 2.1.5), and twice what Linux can open."""
_NO_IDENTITY = {0, 0xFFFFFFFFFFFFFFFF}  # [MS-FSCC] 2.1.9: the file system has none, or none of 64 bits (ReFS)
MOST_BYTES = 32 << 20
"""For the names of all folders that wait: about a million of them."""
IN_MEMORY_BYTES = 4 << 20
LENGTH_BYTES = 4
QUERY_BYTES = 1 << 18  # about 2,000 names
PART_ENTRIES = 4_000
FOLDERS_IN_FLIGHT = 32
CREDITS_OF_A_FOLDER = 2 + 2 * QUERY_BYTES // CREDIT_BYTES
CREDITS_KEPT_FREE = 64  # to read files during the listing
SILENT_FOLDERS_AT_MOST = 3
"""The server may leave so many folders unanswered, each on a connection of its own, before it counts as silent."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be listed. ``lineage`` are the server's numbers for the folders above it."""

    path: str
    lineage: frozenset[int]


@dataclass(frozen=True, slots=True)
class AskedFolder:
    """A folder whose compound is under way."""

    folder: Folder
    is_base: bool
    tickets: Sequence[Ticket]


def list_folders(connect: Callable[[], ShareConnection], passing_over: Container[str] = ()) -> Iterator[FolderListing]:
    """Every folder below the base folder of the connection's address, as ``Source.listings`` promises.

    ``connect`` gives the connection, or a new one when that one is lost.
    """
    walk = _Walk(connect(), passing_over)
    try:
        while walk.asked:
            current = walk.asked.popleft()
            try:
                listings = walk.take(current)
            except SourceUnreachable as error:
                if current.is_base or not walk.may_skip_after(error):
                    raise
                walk.resume_with(connect())
                path = current.folder.path
                failed = FileReadFailed(f"{path}: the server was asked for it and gave no answer: {error}")
                listings = iter([FolderListing(path, (), failed)])
            walk.ask()
            yield from listings
            walk.ask()  # the folders in a large one are known only now
    finally:
        for folder in walk.asked:
            walk.connection.discard(folder.tickets)


class _Walk:
    """One walk through a share: the folders in flight, and those that wait."""

    def __init__(self, connection: ShareConnection, passing_over: Container[str]) -> None:
        self.connection, self._passing_over = connection, passing_over
        base = Folder(connection.address.base_folder, frozenset())
        self._limits = connection.address.limits
        self._most_depth = base.path.count("/") + self._limits.depth
        self._waiting = WaitingFolders()
        self._folders = 1  # found so far
        self._again: deque[Folder] = deque()  # asked for on a connection that was lost
        self._unanswered = 0
        self.asked = deque([_ask(connection, base, is_base=True)])

    def ask(self) -> None:
        """Have as many folders in flight as the server allows, and one at least."""
        while (self._again or self._waiting) and (not self.asked or self._may_ask()):
            folder = self._again.popleft() if self._again else self._waiting.take()
            self.asked.append(_ask(self.connection, folder))

    def _may_ask(self) -> bool:
        enough = CREDITS_OF_A_FOLDER + CREDITS_KEPT_FREE
        return len(self.asked) < FOLDERS_IN_FLIGHT and self.connection.credits >= enough

    def may_skip_after(self, error: SourceUnreachable) -> bool:
        """Whether the folder is skipped: the server was silent, and not too often yet."""
        self._unanswered += 1
        return isinstance(error.__cause__, TimeoutError) and self._unanswered <= SILENT_FOLDERS_AT_MOST

    def resume_with(self, connection: ShareConnection) -> None:
        """Ask for the folders in flight once more, on a new connection."""
        self.connection = connection
        self._again.extend(each.folder for each in self.asked)
        self.asked.clear()

    def take(self, asked: AskedFolder) -> Iterator[FolderListing]:
        """The folder's listing, in parts where it is large. All names have arrived; raises when the server is lost."""
        folder = asked.folder
        try:
            with self.connection.faults(BASE_FOLDER if asked.is_base else FILE, folder.path):
                entries = _entries(self.connection, asked)
                if entries is None:
                    return self._parts(folder, _spooled_entries(self.connection, folder.path))
        except SourceUnreachable:
            raise
        except SourceError as problem:
            if asked.is_base:
                raise
            return iter([FolderListing(folder.path, (), problem)])
        return iter(self._interpreted(folder, entries)[0])

    def _parts(self, folder: Folder, spool: "Spool") -> Iterator[FolderListing]:
        begins = True
        with spool:
            entries = chain.from_iterable(map(parse_entries, spool.outputs()))
            part = list(islice(entries, PART_ENTRIES))
            while part:
                following = list(islice(entries, PART_ENTRIES))
                listings, folder = self._interpreted(folder, part)
                yield replace(listings[0], begins=begins, ends=not following)
                yield from listings[1:]
                begins, part = False, following

    def _interpreted(self, folder: Folder, entries: list[Entry]) -> tuple[list[FolderListing], Folder]:
        """The listing, and those of what can't be listed in it; and the folder with its number in its lineage."""
        listing, inner, unlisted = interpret(folder, entries, self._most_depth)
        inner = [each for each in inner if each.path not in self._passing_over]
        if not self._take_in(inner):
            too_many = f"the folders in it were too many to be listed, the share has more than {self._limits.folders:,}"
            unlisted.append(FolderListing(folder.path, (), FolderBeyondLimits(f"{folder.path}: {too_many} (folders)")))
        return [listing, *unlisted], replace(folder, lineage=inner[0].lineage) if inner else folder

    def _take_in(self, folders: list[Folder]) -> bool:
        is_enough = self._folders + len(folders) > self._limits.folders or not self._waiting.add(folders)
        self._folders += 0 if is_enough else len(folders)
        return not is_enough


def _ask(connection: ShareConnection, folder: Folder, *, is_base: bool = False) -> AskedFolder:
    messages = connection.messages
    query = messages.list_entries(min(QUERY_BYTES, connection.largest_listing))
    with connection.faults(BASE_FOLDER if is_base else FILE, folder.path):
        opening = messages.open_folder(connection.address.path_on_share(folder.path))
        return AskedFolder(folder, is_base, connection.send([opening, query, query, messages.close()]))


def _entries(connection: ShareConnection, asked: AskedFolder) -> list[Entry] | None:
    """What the compound brings; None if that is not all."""
    opening, *queries, closing = asked.tickets
    entries: list[Entry] = []
    try:
        handle = answers.opened(connection.answer(opening)).handle
        try:
            for query in queries:
                if (output := _output(connection, query)) is None:
                    return entries
                entries.extend(parse_entries(output))
        except Refused as refusal:
            if refusal.status != INTERNAL_ERROR:
                raise
        finally:
            connection.closing(closing, handle)
    finally:
        connection.discard(asked.tickets)
    return None


def _spooled_entries(connection: ShareConnection, path: str) -> "Spool":
    """All entries of a folder, by a handle that is held. Raises ``FolderBeyondLimits`` too."""
    messages, spool = connection.messages, Spool()
    (opening,) = connection.send([messages.open_folder(connection.address.path_on_share(path))])
    handle = answers.opened(connection.answer(opening)).handle
    query = messages.list_entries(min(QUERY_BYTES, connection.largest_listing), handle)
    asked = connection.send([query])
    began = monotonic()
    try:
        while (output := _output(connection, asked.pop())) is not None:
            asked = connection.send([query])  # on its way while we parse
            spool.add(output, sum(1 for _ in parse_entries(output)))
            _check(spool.entries, monotonic() - began, connection, path)
    except BaseException:
        spool.close()
        raise
    finally:
        connection.discard(asked)
        connection.release(handle)
    return spool


def _check(entries: int, seconds: float, connection: ShareConnection, path: str) -> None:
    limits = connection.address.limits
    connection.address.patience()
    if entries > limits.entries:
        raise FolderBeyondLimits(f"{path}: it holds more than {limits.entries:,} files and folders (folder_entries)")
    if seconds > limits.seconds:
        raise FolderBeyondLimits(
            f"{path}: it could not be listed within {limits.seconds:g} s, {entries:,} names had come (folder_seconds)"
        )


def _output(connection: ShareConnection, query: Ticket) -> bytes | memoryview | None:
    """The next part of a folder's entries; None behind the last one."""
    try:
        return answers.output(connection.answer(query))
    except Refused as refusal:
        if refusal.status in {NO_MORE_FILES, NO_SUCH_FILE}:
            return None
        raise


def interpret(
    folder: Folder, entries: Iterable[Entry], most_depth: int = ListingLimits().depth
) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    """The folder's listing, the folders in it, and listings that say why some of them are not listed.

    ``most_depth`` is how many folders a path may hold, the share's own not counted.
    """
    files: list[SourceFile] = []
    folders: list[Entry] = []
    lineage = folder.lineage
    for entry in entries:
        if not entry.is_folder:
            files.append(_source_file(folder.path, entry))
        elif entry.name == ".":
            lineage |= {entry.identity} - _NO_IDENTITY
        elif entry.name != "..":
            folders.append(entry)
    inner: list[Folder] = []
    unlisted: list[FolderListing] = []
    for entry in folders:
        path = f"{folder.path}/{shown(entry.name)}"
        if problem := _obstacle(entry, lineage, path, most_depth):
            unlisted.append(FolderListing(path, (), problem))
        else:
            inner.append(Folder(path, lineage))
    return FolderListing(folder.path, tuple(files), folders=len(folders)), inner, unlisted


def _obstacle(entry: Entry, lineage: frozenset[int], path: str, most_depth: int) -> SourceFileError | None:
    """Why a folder is not listed; None if it is."""
    if is_too_long(entry.name):
        return FileUnreadable(f"{path}: {TOO_LONG}")
    if not is_askable(entry.name):
        return FileUnreadable(f"{path}: {UNASKABLE}")
    if entry.is_link:
        return FileUnreadable(f"{path}: {LINK}")
    if entry.identity in lineage:
        return FileUnreadable(f"{path}: {LEADS_BACK}")
    if len(path) > LONGEST_PATH:
        return FolderBeyondLimits(f"{path}: its path is longer than {LONGEST_PATH:,} characters")
    if path.count("/") > most_depth:
        return FolderBeyondLimits(f"{path}: it lies more than {most_depth} folders deep (folder_depth)")
    return None


def _source_file(folder: str, entry: Entry) -> SourceFile:
    unreadable, size = _why_unreadable(entry), entry.size_bytes if _is_size(entry) else 0
    return SourceFile(f"{folder}/{shown(entry.name)}", size, from_filetime(entry.filetime), unreadable)


def _why_unreadable(entry: Entry) -> str | None:
    if is_too_long(entry.name):
        return TOO_LONG
    if not is_askable(entry.name):
        return UNASKABLE
    if entry.is_link:
        return LINK
    if not _is_size(entry):
        return f"the server says that it is {entry.size_bytes} bytes long, which no file is"
    if not is_possible(entry.filetime):
        return f"the server says a time that no file has (FILETIME {entry.filetime})"
    return None


def _is_size(entry: Entry) -> bool:
    return entry.size_bytes <= LARGEST_FILE_BYTES


@dataclass(slots=True)
class Siblings:
    """Folders of one parent, by their names: one string of bytes takes a tenth of what their paths would.

    ``start`` is where the first name begins that was not taken yet.
    """

    parent: str
    lineage: frozenset[int]
    names: bytes
    start: int = 0


class WaitingFolders:
    """A stack of folders, held in little more memory than their names take. Deeper ones are taken first: few wait."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._stack: list[Siblings] = []
        self._left = most_bytes

    def __bool__(self) -> bool:
        return bool(self._stack)

    def add(self, folders: Sequence[Folder]) -> bool:
        """Add folders with one parent. False: there is no room for them, and none was added."""
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
        siblings = self._stack[-1]
        end = siblings.names.find(b"/", siblings.start)
        name = siblings.names[siblings.start : end].decode()
        siblings.start = end + 1
        if siblings.start == len(siblings.names):
            self._stack.pop()
            self._left += len(siblings.names)
        return Folder(f"{siblings.parent}/{name}", siblings.lineage)


class Spool:
    """The names of one large folder as the server sent them, in a temporary file; ``entries`` is how many they are."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed by its reader
        self.entries = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def add(self, output: bytes | memoryview, entries: int) -> None:
        """Keep one output. Raises ``FileReadFailed``: our disk is full, which is not the server's fault."""
        self.entries += entries
        try:
            self._file.write(len(output).to_bytes(LENGTH_BYTES, "big"))
            self._file.write(output)
        except OSError as error:
            where = tempfile.gettempdir()
            raise FileReadFailed(f"there is no room in {where} for the names of a large folder: {error}") from error

    def outputs(self) -> Iterator[bytes]:
        self._file.seek(0)
        while length := self._file.read(LENGTH_BYTES):
            yield self._file.read(int.from_bytes(length, "big"))
