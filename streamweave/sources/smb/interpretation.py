"""What to make of a folder's entries: files, folders to list next, and what can't be asked for."""

from collections.abc import Iterable
from dataclasses import dataclass

from streamweave.errors import FileUnreadable, FolderBeyondLimits, SourceFileError
from streamweave.sources.base import FolderListing, ListingLimits, SourceFile
from streamweave.sources.smb.entries import Entry
from streamweave.sources.smb.names import TOO_LONG, UNASKABLE, is_askable, is_too_long, shown
from streamweave.sources.smb.times import from_filetime, is_possible

LINK = "it is a link, which is not followed"
LEADS_BACK = "it is a folder above it once more, by the server's number for it, and is not followed"
LARGEST_FILE_BYTES = 1 << 60
"""An exbibyte. What a server says beyond that is no size, and sums of such sizes would overflow."""
LONGEST_PATH = 8_192
"""In characters: a quarter of what the protocol allows ([MS-FSCC] 2.1.5), and twice what Linux can open."""
_NO_IDENTITY = {0, 0xFFFFFFFFFFFFFFFF}  # [MS-FSCC] 2.1.9: the file system has none, or can't tell it in 64 bits (ReFS)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be listed. ``lineage`` are the server's numbers for the folders above it."""

    path: str
    lineage: frozenset[int]


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
