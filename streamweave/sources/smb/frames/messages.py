"""The messages that we send, packed: command, body, and the credits each costs ([MS-SMB2] 2.2); and the header before
every message ([MS-SMB2] 2.2.1). ``streamweave.sources.smb.connection.Messages`` says what each message is for.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from streamweave.sources.smb.answers import HEADER_BYTES
from streamweave.sources.smb.connection import COMPOUND_HANDLE, CREDIT_BYTES, SHARE_ALL
from streamweave.sources.smb.errors import BrokenAnswer

PROTOCOL = b"\xfeSMB"
SIGNATURE = slice(48, 64)
UNSIGNED = bytes(16)

# commands (2.2.1.2)
CREATE, CLOSE, READ, QUERY_DIRECTORY, QUERY_INFO, OPLOCK_BREAK = 0x05, 0x06, 0x08, 0x0E, 0x10, 0x12
# flags (2.2.1.2)
IS_ANSWER, IS_ASYNC, IS_RELATED, IS_SIGNED = 0x1, 0x2, 0x4, 0x8

# ProtocolId, StructureSize, CreditCharge, Status, Command, Credits, Flags, NextCommand, MessageId, then process and
# tree (of an asynchronous answer: its AsyncId), SessionId, Signature
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")


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


class Header(NamedTuple):
    """What the header of an answer says."""

    status: int
    command: int
    credits: int
    flags: int
    next_offset: int
    message_id: int
    tree_id: int
    session_id: int


def pack(
    command: int, charge: int, wanted: int, flags: int, step: int, message_id: int, tree_id: int, session_id: int
) -> bytes:
    """A request's header.

    It costs ``charge`` credits and asks for ``wanted``. ``step`` is how far it is to the next message of a compound;
    the last one has 0.
    """
    return _HEADER.pack(
        PROTOCOL, HEADER_BYTES, charge, 0, command, wanted, flags, step, message_id, 0, tree_id, session_id, UNSIGNED
    )


def unpack(message: bytes | bytearray | memoryview) -> Header:
    """The header of an answer. Raises ``BrokenAnswer``."""
    if len(message) < HEADER_BYTES:
        raise BrokenAnswer("a message that is shorter than its header")
    (protocol, size, _, status, command, credits_, flags, next_offset, message_id, _, tree_id, session_id, _) = (
        _HEADER.unpack_from(message)
    )
    if protocol != PROTOCOL or size != HEADER_BYTES or not flags & IS_ANSWER:
        raise BrokenAnswer("a message that is no SMB 2 answer")
    return Header(status, command, credits_, flags, next_offset, message_id, tree_id, session_id)


def messages_in(frame: memoryview) -> Iterator[tuple[Header, memoryview]]:
    """The messages of a frame, each with its header. Raises ``BrokenAnswer``."""
    while True:
        header = unpack(frame)
        step = header.next_offset
        if not step:
            yield header, frame
            return
        if step % 8 or not HEADER_BYTES < step <= len(frame) - HEADER_BYTES:
            raise BrokenAnswer("a compound whose messages overlap or lie outside of it")
        yield header, frame[:step]
        frame = frame[step:]


class Packed(NamedTuple):
    """A message without its header; ``charge`` is what it costs in credits (3.2.4.1.5)."""

    command: int
    body: bytes
    charge: int = 1


def open_folder(path: str) -> Packed:
    return _create(path, SHARE_ALL, _DIRECTORY_FILE)


def open_file(path: str, share_access: int, *, yielding: bool = False) -> Packed:
    return _create(path, share_access, _NON_DIRECTORY_FILE, _BATCH_OPLOCK if yielding else 0)


def _create(path: str, share_access: int, options: int, oplock: int = 0) -> Packed:
    name = path.encode("utf-16-le")
    access = _READ_DATA | _READ_ATTRIBUTES | _SYNCHRONIZE
    how = (access, 0, share_access, _OPEN_EXISTING, options)
    fixed = (57, 0, oplock, _IMPERSONATION, 0, 0, *how, HEADER_BYTES + _CREATE.size, len(name))
    # the share's own folder has no name; the body has one byte more than its fixed part all the same
    return Packed(CREATE, _CREATE.pack(*fixed, 0, 0) + (name or b"\0\0"))


def list_entries(length: int, handle: bytes = COMPOUND_HANDLE) -> Packed:
    name_offset = HEADER_BYTES + _QUERY_DIRECTORY.size
    fixed = (33, _ID_FULL_DIRECTORY, 0, 0, handle, name_offset, len(_EVERY_NAME), length)
    return Packed(QUERY_DIRECTORY, _QUERY_DIRECTORY.pack(*fixed) + _EVERY_NAME, _charge(length))


def read(offset: int, length: int, handle: bytes = COMPOUND_HANDLE) -> Packed:
    body = _READ.pack(49, _DATA_RIGHT_BEHIND, 0, length, offset, handle, 0, 0, 0, 0, 0, 0)
    return Packed(READ, body, _charge(length))


def query_size_and_time(handle: bytes) -> Packed:
    return Packed(QUERY_INFO, _QUERY_INFO.pack(41, _FILE_INFO, _NETWORK_OPEN, 56, 0, 0, 0, 0, 0, handle))


def close(handle: bytes = COMPOUND_HANDLE) -> Packed:
    return Packed(CLOSE, _CLOSE.pack(24, _POSTQUERY_ATTRIBUTES, 0, handle))


def _charge(length: int) -> int:
    return 1 + max(length - 1, 0) // CREDIT_BYTES
