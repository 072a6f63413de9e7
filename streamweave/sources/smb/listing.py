"""Listing a share: breadth first, several folders in flight.

A folder costs one compound (open, two queries) and a close that nobody waits for; one that needs more than two answers
is read on through its open handle.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from smbprotocol.exceptions import SMBResponseException

from streamweave.errors import FileUnreadable, SourceError, SourceUnreachable
from streamweave.sources.base import FolderListing, SourceFile
from streamweave.sources.smb import messages
from streamweave.sources.smb.connection import ShareConnection
from streamweave.sources.smb.entries import Entry, parse_entries
from streamweave.sources.smb.faults import BASE_FOLDER, FILE, NO_MORE_FILES, NO_SUCH_FILE, status_of
from streamweave.sources.smb.names import is_askable, shown
from streamweave.sources.smb.times import from_filetime

QUERY_BYTES = 1 << 18  # about 2,000 names
FOLDERS_IN_FLIGHT = 16
CREDITS_OF_A_FOLDER = 2 + 2 * QUERY_BYTES // messages.CREDIT_BYTES
CREDITS_KEPT_FREE = 64  # for whoever reads a file while the listing goes on

UNASKABLE = "its name is not valid Unicode, or holds a character that no file name may hold"
LINK = "it is a link, which is not followed"


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
    opening: Any
    queries: deque[Any]


def list_folders(connection: ShareConnection) -> Iterator[FolderListing]:
    """Every folder below the base folder of the connection's address, as ``Source.listings`` promises."""
    todo = deque([Folder(connection.address.base_folder, frozenset())])
    asked = deque([_ask(connection, todo.popleft(), is_base=True)])
    try:
        while asked:
            listing, inner, unaskable = _listed(connection, asked.popleft())
            todo.extend(inner)
            while todo and (not asked or _may_ask(connection, len(asked))):
                asked.append(_ask(connection, todo.popleft()))
            yield listing
            yield from unaskable
    finally:
        for folder in asked:
            _abandon(connection, folder)


def _may_ask(connection: ShareConnection, folders_in_flight: int) -> bool:
    return folders_in_flight < FOLDERS_IN_FLIGHT and connection.credits >= CREDITS_OF_A_FOLDER + CREDITS_KEPT_FREE


def _ask(connection: ShareConnection, folder: Folder, *, is_base: bool = False) -> AskedFolder:
    length = connection.listing_bytes_at_most(QUERY_BYTES)
    compound = [
        messages.open_folder(connection.address.path_on_share(folder.path)),
        messages.list_entries(length, restart=True),
        messages.list_entries(length),
    ]
    with connection.faults(BASE_FOLDER if is_base else FILE, folder.path):
        opening, *queries = connection.send(compound)
    return AskedFolder(folder, is_base, opening, deque(queries))


def _listed(connection: ShareConnection, asked: AskedFolder) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    try:
        return interpret(asked.folder, _entries(connection, asked))
    except SourceUnreachable:
        raise
    except SourceError as problem:
        if asked.is_base:
            raise
        return FolderListing(asked.folder.path, (), problem), [], []


def _entries(connection: ShareConnection, asked: AskedFolder) -> list[Entry]:
    entries: list[Entry] = []
    handle = None
    try:
        with connection.faults(BASE_FOLDER if asked.is_base else FILE, asked.folder.path):
            _, handle = messages.size_and_handle(connection.answer(asked.opening))
            while (output := _next_output(connection, asked.queries.popleft())) is not None:
                entries.extend(parse_entries(output))
                if not asked.queries:
                    length = connection.listing_bytes_at_most(QUERY_BYTES)
                    asked.queries.extend(connection.send([messages.list_entries(length, handle)]))
        return entries
    finally:
        connection.discard(asked.queries)
        if handle is not None:
            connection.release(handle)


def _next_output(connection: ShareConnection, query: Any) -> bytes | None:
    try:
        return messages.output(connection.answer(query))
    except SMBResponseException as error:
        if status_of(error) in {NO_MORE_FILES, NO_SUCH_FILE}:
            return None
        raise


def _abandon(connection: ShareConnection, asked: AskedFolder) -> None:
    with suppress(SourceError):
        _entries(connection, asked)


def interpret(folder: Folder, entries: list[Entry]) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    """The folder's listing, the folders in it, and listings that say why some folders in it can't be asked for."""
    files: list[SourceFile] = []
    inner: list[Folder] = []
    unaskable: list[FolderListing] = []
    lineage = folder.lineage | {entry.identity for entry in entries if entry.name == "." and entry.identity}
    for entry in entries:
        if entry.name in {".", ".."}:
            continue
        path = f"{folder.path}/{shown(entry.name)}"
        if not entry.is_folder:
            files.append(_source_file(path, entry))
        elif not is_askable(entry.name):
            unaskable.append(FolderListing(path, (), FileUnreadable(f"{path}: {UNASKABLE}")))
        elif not entry.is_link and entry.identity not in lineage:  # a link may lead back to a folder above
            inner.append(Folder(path, lineage))
    return FolderListing(folder.path, tuple(files), folders=len(inner) + len(unaskable)), inner, unaskable


def _source_file(path: str, entry: Entry) -> SourceFile:
    unreadable = LINK if entry.is_link else None
    if not is_askable(entry.name):
        unreadable = UNASKABLE
    return SourceFile(path, entry.size_bytes, from_filetime(entry.filetime), unreadable)
