"""The entries of a folder as the wire carries them: FileIdFullDirectoryInformation ([MS-FSCC] 2.4.22)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from streamweave.sources.smb.wire_errors import BrokenAnswer

# NextEntryOffset, FileIndex, Creation-, LastAccess-, LastWrite-, ChangeTime, EndOfFile, AllocationSize, FileAttributes,
# FileNameLength, EaSize, Reserved, FileId; then FileName
_ENTRY = struct.Struct("<I20xQ8xQ8xIII4xQ")
_DIRECTORY = 0x10
_REPARSE_POINT = 0x400
# [MS-FSCC] 2.1.2.1: of a reparse point EaSize holds the tag, and this bit in it says that it names something elsewhere
# (a symbolic link, a junction). Reparse points without it are offline or deduplicated files, which read like any other.
_NAME_SURROGATE = 0x20000000


class Entry(NamedTuple):
    """One name in a folder. ``identity`` is the server's number for what it names; 0 or all ones is no number."""

    name: str
    size_bytes: int
    filetime: int
    is_folder: bool
    is_link: bool
    identity: int


def parse_entries(buffer: bytes | memoryview) -> Iterator[Entry]:
    """The entries in the output of one query, ``.`` and ``..`` included.

    Raises ``BrokenAnswer``, ``struct.error`` or ``ValueError``.
    """
    offset, step = 0, -1
    while step:
        step, filetime, size, attributes, length, tag, identity = _ENTRY.unpack_from(buffer, offset)
        start = offset + _ENTRY.size
        if not length or start + length > (offset + step if step else len(buffer)):
            raise BrokenAnswer("an entry of a listing without a name, or with one that does not fit")
        yield Entry(
            # an unpaired surrogate is a legal name on NTFS
            str(buffer[start : start + length], "utf-16-le", "surrogatepass"),
            size,
            filetime,
            bool(attributes & _DIRECTORY),
            bool(attributes & _REPARSE_POINT and tag & _NAME_SURROGATE),
            identity,
        )
        offset += step
