"""The bodies of answers, parsed ([MS-SMB2] 2.2). An offset in them counts from the answer's header.

Each function raises ``BrokenAnswer`` or ``struct.error`` for a body that is not what the protocol says.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from streamweave.sources.base import SourceFile
from streamweave.sources.smb.address import from_filetime
from streamweave.sources.smb.errors import BrokenAnswer

HEADER_BYTES = 64
OPENED_BYTES, CLOSED_BYTES, READ_BYTES, OUTPUT_BYTES = 89, 60, 17, 9  # the StructureSize of each answer

_OPENED = struct.Struct("<H22xQ16xQ8x16s")  # 2.2.14
_CLOSED = struct.Struct("<HH20xQ16xQ")  # 2.2.16
_READ = struct.Struct("<HBBI")  # 2.2.20
_OUTPUT = struct.Struct("<HHI")  # 2.2.34, 2.2.38
_LAST_WRITE_AND_SIZE = struct.Struct("<16xQ16xQ")  # FileNetworkOpenInformation, [MS-FSCC] 2.4.34
_HAS_ATTRIBUTES = 1  # 2.2.16: SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB


# FileIdFullDirectoryInformation, [MS-FSCC] 2.4.22: NextEntryOffset, FileIndex, Creation-, LastAccess-, LastWrite-,
# ChangeTime, EndOfFile, AllocationSize, FileAttributes, FileNameLength, EaSize, Reserved, FileId; then FileName
_ENTRY = struct.Struct("<I20xQ8xQ8xIII4xQ")
_DIRECTORY = 0x10
_REPARSE_POINT = 0x400
# [MS-FSCC] 2.1.2.1: of a reparse point EaSize holds the tag, and this bit in it says that it names something elsewhere
# (a symbolic link, a junction). Reparse points without it are offline or deduplicated files, which read like any other.
_NAME_SURROGATE = 0x20000000


class Seen(NamedTuple):
    """Time and size of a file as it is opened or closed."""

    filetime: int
    size_bytes: int

    def as_source_file(self, source_path: str) -> SourceFile:
        return SourceFile(source_path, self.size_bytes, from_filetime(self.filetime))


class Opened(NamedTuple):
    """A file or folder that the server has opened."""

    seen: Seen
    handle: bytes


def opened(body: bytes | memoryview) -> Opened:
    structure, filetime, size, handle = _OPENED.unpack_from(body)
    _expect(structure, OPENED_BYTES)
    return Opened(Seen(filetime, size), handle)


def closed(body: bytes | memoryview | None) -> Seen | None:
    """The answer to a closing; None where it has no attributes."""
    if body is None:
        return None
    structure, flags, filetime, size = _CLOSED.unpack_from(body)
    _expect(structure, CLOSED_BYTES)
    return Seen(filetime, size) if flags & _HAS_ATTRIBUTES else None


def data(body: bytes | memoryview) -> bytes:
    structure, offset, _, length = _READ.unpack_from(body)
    _expect(structure, READ_BYTES)
    return bytes(_part(body, offset, length))


def follows_at_once(body: bytes | memoryview, length: int) -> bool:
    """Whether ``body``, the beginning of an answer to a read, ends where ``length`` bytes of data begin."""
    structure, offset, _, data_length = _READ.unpack_from(body)
    return (structure, offset, data_length) == (READ_BYTES, HEADER_BYTES + len(body), length)


def output(body: bytes | memoryview) -> bytes | memoryview:
    """The output buffer in the answer to a query."""
    structure, offset, length = _OUTPUT.unpack_from(body)
    _expect(structure, OUTPUT_BYTES)
    return _part(body, offset, length)


def queried(body: bytes | memoryview, source_path: str) -> SourceFile:
    """The file as the answer to ``query_size_and_time`` shows it."""
    filetime, size = _LAST_WRITE_AND_SIZE.unpack_from(output(body))
    return SourceFile(source_path, size, from_filetime(filetime))


def _expect(structure: int, expected: int) -> None:
    if structure != expected:
        raise BrokenAnswer(f"an answer of structure size {structure} instead of {expected}")


def _part(body: bytes | memoryview, offset: int, length: int) -> bytes | memoryview:
    start = offset - HEADER_BYTES
    if length and not 0 < start <= start + length <= len(body):
        raise BrokenAnswer("an answer whose content lies outside of it")
    return body[start : start + length] if length else b""


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
