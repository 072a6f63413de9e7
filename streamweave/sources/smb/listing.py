"""Listing a share: breadth first, many folders in flight.

A folder costs one compound (open, two queries, close); one that needs more than two answers, or that the server can't
list within a compound, is listed through a handle that is held.
"""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from streamweave.errors import SourceError, SourceUnreachable
from streamweave.sources.base import FolderListing
from streamweave.sources.smb import answers
from streamweave.sources.smb.connection import CREDIT_BYTES, ShareConnection, Ticket
from streamweave.sources.smb.entries import Entry, parse_entries
from streamweave.sources.smb.faults import BASE_FOLDER, FILE, INTERNAL_ERROR, NO_MORE_FILES, NO_SUCH_FILE
from streamweave.sources.smb.interpretation import Folder, interpret
from streamweave.sources.smb.wire_errors import Refused

QUERY_BYTES = 1 << 18  # about 2,000 names
FOLDERS_IN_FLIGHT = 32
CREDITS_OF_A_FOLDER = 2 + 2 * QUERY_BYTES // CREDIT_BYTES
CREDITS_KEPT_FREE = 64  # for whoever reads a file while the listing goes on


@dataclass(frozen=True, slots=True)
class AskedFolder:
    """A folder whose compound is under way."""

    folder: Folder
    is_base: bool
    tickets: Sequence[Ticket]


def list_folders(connection: ShareConnection, passing_over: Container[str] = ()) -> Iterator[FolderListing]:
    """Every folder below the base folder of the connection's address, as ``Source.listings`` promises."""
    todo: deque[Folder] = deque()
    asked = deque([_ask(connection, Folder(connection.address.base_folder, frozenset()), is_base=True)])
    try:
        while asked:
            listing, inner, unlisted = _listed(connection, asked.popleft())
            todo.extend(folder for folder in inner if folder.path not in passing_over)
            while todo and (not asked or _may_ask(connection, len(asked))):
                asked.append(_ask(connection, todo.popleft()))
            yield listing
            yield from unlisted
    finally:
        for folder in asked:
            connection.discard(folder.tickets)


def _may_ask(connection: ShareConnection, folders_in_flight: int) -> bool:
    return folders_in_flight < FOLDERS_IN_FLIGHT and connection.credits >= CREDITS_OF_A_FOLDER + CREDITS_KEPT_FREE


def _ask(connection: ShareConnection, folder: Folder, *, is_base: bool = False) -> AskedFolder:
    messages = connection.messages
    query = messages.list_entries(connection.listing_bytes_at_most(QUERY_BYTES))
    with connection.faults(BASE_FOLDER if is_base else FILE, folder.path):
        opening = messages.open_folder(connection.address.path_on_share(folder.path))
        return AskedFolder(folder, is_base, connection.send([opening, query, query, messages.close()]))


def _listed(connection: ShareConnection, asked: AskedFolder) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    try:
        with connection.faults(BASE_FOLDER if asked.is_base else FILE, asked.folder.path):
            entries = _entries(connection, asked)
    except SourceUnreachable:
        raise
    except SourceError as problem:
        if asked.is_base:
            raise
        return FolderListing(asked.folder.path, (), problem), [], []
    return interpret(asked.folder, entries)


def _entries(connection: ShareConnection, asked: AskedFolder) -> list[Entry]:
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
    return _entries_by_held_handle(connection, asked.folder.path)


def _entries_by_held_handle(connection: ShareConnection, path: str) -> list[Entry]:
    messages = connection.messages
    (opening,) = connection.send([messages.open_folder(connection.address.path_on_share(path))])
    handle = answers.opened(connection.answer(opening)).handle
    query = messages.list_entries(connection.listing_bytes_at_most(QUERY_BYTES), handle)
    entries: list[Entry] = []
    asked = connection.send([query])
    try:
        while (output := _output(connection, asked.pop())) is not None:
            asked = connection.send([query])  # on its way while we parse
            entries.extend(parse_entries(output))
        return entries
    finally:
        connection.discard(asked)
        connection.release(handle)


def _output(connection: ShareConnection, query: Ticket) -> bytes | memoryview | None:
    """The next part of a folder's entries; None behind the last one."""
    try:
        return answers.output(connection.answer(query))
    except Refused as refusal:
        if refusal.status in {NO_MORE_FILES, NO_SUCH_FILE}:
            return None
        raise
