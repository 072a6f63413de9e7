"""What to make of a folder's entries: files, folders to list next, and what can't be asked for."""

from collections.abc import Iterable
from dataclasses import dataclass

from streamweave.errors import FileUnreadable, SourceFileError
from streamweave.sources.base import FolderListing, SourceFile
from streamweave.sources.smb.entries import Entry
from streamweave.sources.smb.names import UNASKABLE, is_askable, shown
from streamweave.sources.smb.times import from_filetime

LINK = "it is a link, which is not followed"
LEADS_BACK = "it is a folder above it once more, by the server's number for it, and is not followed"
_NO_IDENTITY = {0, 0xFFFFFFFFFFFFFFFF}  # [MS-FSCC] 2.1.9: the file system has none, or can't tell it in 64 bits (ReFS)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be listed. ``lineage`` are the server's numbers for the folders above it."""

    path: str
    lineage: frozenset[int]


def interpret(folder: Folder, entries: Iterable[Entry]) -> tuple[FolderListing, list[Folder], list[FolderListing]]:
    """The folder's listing, the folders in it, and listings that say why some of them are not listed."""
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
        if problem := _obstacle(entry, lineage, path):
            unlisted.append(FolderListing(path, (), problem))
        else:
            inner.append(Folder(path, lineage))
    return FolderListing(folder.path, tuple(files), folders=len(folders)), inner, unlisted


def _obstacle(entry: Entry, lineage: frozenset[int], path: str) -> SourceFileError | None:
    """Why a folder is not listed; None if it is."""
    if not is_askable(entry.name):
        return FileUnreadable(f"{path}: {UNASKABLE}")
    if entry.is_link:
        return FileUnreadable(f"{path}: {LINK}")
    if entry.identity in lineage:
        return FileUnreadable(f"{path}: {LEADS_BACK}")
    return None


def _source_file(folder: str, entry: Entry) -> SourceFile:
    unreadable = LINK if entry.is_link else None
    if not is_askable(entry.name):
        unreadable = UNASKABLE
    return SourceFile(f"{folder}/{shown(entry.name)}", entry.size_bytes, from_filetime(entry.filetime), unreadable)
