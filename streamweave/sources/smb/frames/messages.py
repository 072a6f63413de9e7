"""The messages that we send, packed: command, body, and the credits it costs ([MS-SMB2] 2.2).

``Messages`` says what each is for.
"""

import struct
from typing import NamedTuple

from streamweave.sources.smb.connection import COMPOUND_HANDLE, CREDIT_BYTES, SHARE_ALL
from streamweave.sources.smb.frames.header import CLOSE, CREATE, HEADER_BYTES, QUERY_DIRECTORY, QUERY_INFO, READ

_CREATE = struct.Struct("<HBBIQQIIIIIHHII")  # 2.2.13
_CLOSE = struct.Struct("<HHI16s")  # 2.2.15
_READ = struct.Struct("<HBBIQ16sIIIHHB")  # 2.2.19
_QUERY_DIRECTORY = struct.Struct("<HBBI16sHHI")  # 2.2.33
_QUERY_INFO = struct.Struct("<HBBIHHIII16s")  # 2.2.37

_IMPERSONATION, _OPEN_EXISTING = 2, 1
_BATCH_OPLOCK = 0x09
_DIRECTORY_FILE, _NON_DIRECTORY_FILE = 0x01, 0x40
_READ_DATA, _READ_ATTRIBUTES, _SYNCHRONIZE = 0x01, 0x80, 0x100000  # the first means for a folder: list it
_POSTQUERY_ATTRIBUTES = 1
_ID_FULL_DIRECTORY, _NETWORK_OPEN, _FILE_INFO = 38, 34, 1
_DATA_RIGHT_BEHIND = HEADER_BYTES + 16  # where the data should begin in the answer
_EVERY_NAME = "*".encode("utf-16-le")


class Packed(NamedTuple):
    """A message without its header; ``charge`` is what it costs in credits (3.2.4.1.5)."""

    command: int
    body: bytes
    charge: int = 1


def open_folder(path: str) -> Packed:
    """Open a folder below the share for listing."""
    return _create(path, SHARE_ALL, _DIRECTORY_FILE)


def open_file(path: str, share_access: int, *, yielding: bool = False) -> Packed:
    """Open a file below the share for reading; ``share_access`` is what others may do to it meanwhile."""
    return _create(path, share_access, _NON_DIRECTORY_FILE, _BATCH_OPLOCK if yielding else 0)


def _create(path: str, share_access: int, options: int, oplock: int = 0) -> Packed:
    name = path.encode("utf-16-le")
    access = _READ_DATA | _READ_ATTRIBUTES | _SYNCHRONIZE
    how = (access, 0, share_access, _OPEN_EXISTING, options)
    fixed = (57, 0, oplock, _IMPERSONATION, 0, 0, *how, HEADER_BYTES + _CREATE.size, len(name))
    # the share's own folder has no name; the body has one byte more than its fixed part all the same
    return Packed(CREATE, _CREATE.pack(*fixed, 0, 0) + (name or b"\0\0"))


def list_entries(length: int, handle: bytes = COMPOUND_HANDLE) -> Packed:
    """Ask for at most ``length`` bytes of a folder's next entries."""
    name_offset = HEADER_BYTES + _QUERY_DIRECTORY.size
    fixed = (33, _ID_FULL_DIRECTORY, 0, 0, handle, name_offset, len(_EVERY_NAME), length)
    return Packed(QUERY_DIRECTORY, _QUERY_DIRECTORY.pack(*fixed) + _EVERY_NAME, _charge(length))


def read(offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Packed:
    """Ask for at most ``length`` bytes of a file from ``offset``."""
    body = _READ.pack(49, _DATA_RIGHT_BEHIND, 0, length, offset, handle, 0, 0, 0, 0, 0, 0)
    return Packed(READ, body, _charge(length))


def query_size_and_time(handle: bytes) -> Packed:
    """Ask for an open file's size and times."""
    return Packed(QUERY_INFO, _QUERY_INFO.pack(41, _FILE_INFO, _NETWORK_OPEN, 56, 0, 0, 0, 0, 0, handle))


def close(handle: bytes = COMPOUND_HANDLE) -> Packed:
    """Let go of a handle, and ask for its file's size and times."""
    return Packed(CLOSE, _CLOSE.pack(24, _POSTQUERY_ATTRIBUTES, 0, handle))


def _charge(length: int) -> int:
    return 1 + max(length - 1, 0) // CREDIT_BYTES
