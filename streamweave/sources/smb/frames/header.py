"""The SMB2 header before every message, and the way through the messages of a frame ([MS-SMB2] 2.2.1)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from streamweave.sources.smb.wire_errors import BrokenAnswer

PROTOCOL = b"\xfeSMB"
HEADER_BYTES = 64
SIGNATURE = slice(48, 64)
UNSIGNED = bytes(16)

# commands (2.2.1.2)
CREATE, CLOSE, READ, QUERY_DIRECTORY, QUERY_INFO, OPLOCK_BREAK = 0x05, 0x06, 0x08, 0x0E, 0x10, 0x12
# flags (2.2.1.2)
IS_ANSWER, IS_ASYNC, IS_RELATED, IS_SIGNED = 0x1, 0x2, 0x4, 0x8

# ProtocolId, StructureSize, CreditCharge, Status, Command, Credits, Flags, NextCommand, MessageId, then process and
# tree (of an asynchronous answer: its AsyncId), SessionId, Signature
_HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")


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
