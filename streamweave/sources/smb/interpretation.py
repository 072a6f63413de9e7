"""What to make of a folder's entries: files, folders to list next, and what can't be asked for."""

from collections.abc import Iterable
from dataclasses import dataclass

from streamweave.errors import FileUnreadable
from streamweave.sources.base import FolderListing, SourceFile
from streamweave.sources.smb.entries import Entry
from streamweave.sources.smb.names import UNASKABLE, is_askable, shown
from streamweave.sources.smb.times import from_filetime

LINK = "it is a link, which is not followed"
_NO_IDENTITY = {0, 0xFFFFFFFFFFFFFFFF}  # [MS-FSCC] 2.1.9: the file system has none, or can't tell it in 64 bits (ReFS)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be listed. ``lineage`` are the server's numbers for the folders above it."""

    path: str
    lineage: frozenset[int]


def interpret(folder: Folder, entries: Iterable[Entry]) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    """The folder's listing, the folders in it, and listings that say why some folders in it can't be asked for."""
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
    unaskable = [_unaskable(f"{folder.path}/{shown(entry.name)}") for entry in folders if not is_askable(entry.name)]
    inner = [
        Folder(f"{folder.path}/{entry.name}", lineage)
        for entry in folders
        # a link may lead back to a folder above
        if is_askable(entry.name) and not entry.is_link and entry.identity not in lineage
    ]
    return FolderListing(folder.path, tuple(files), folders=len(inner) + len(unaskable)), inner, unaskable


def _source_file(folder: str, entry: Entry) -> SourceFile:
    unreadable = LINK if entry.is_link else None
    if not is_askable(entry.name):
        unreadable = UNASKABLE
    return SourceFile(f"{folder}/{shown(entry.name)}", entry.size_bytes, from_filetime(entry.filetime), unreadable)


def _unaskable(path: str) -> FolderListing:
    return FolderListing(path, (), FileUnreadable(f"{path}: {UNASKABLE}"))
