"""Whatever comes out of the socket: the right bytes or a clean error; never a hang, never another exception.

The answers are made here, by the letter of [MS-SMB2], and broken before or after they are signed or encrypted.
"""

import hashlib
import hmac
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamweave.errors import FileInUse, FileReadFailed, FileVanished, SourceError, SourceUnreachable
from streamweave.sources.base import FolderListing, SourceFile, WholeFile
from streamweave.sources.smb import SmbAddress
from streamweave.sources.smb.connection import SHARE_ALL
from streamweave.sources.smb.frames.connection import FramesConnection
from streamweave.sources.smb.frames.handover import Handover
from streamweave.sources.smb.frames.protection import AES_128_GCM, HMAC_SHA256
from streamweave.sources.smb.listing import list_folders
from streamweave.sources.smb.reading import OpenSmbFile, read_whole

ADDRESS = SmbAddress("microscope-01", 445, "data", "/", "labuser", "secret", timeout_seconds=5)
KEY, SESSION, TREE, FIRST_ID = bytes(range(16)), 0x1122334455667788, 0x99AABBCC, 10
CREATE, CLOSE, READ, QUERY, QUERY_INFO, BREAK = 5, 6, 8, 14, 16, 18
ANSWER, ASYNC, SIGNED = 1, 2, 8
PENDING, NOT_FOUND, NO_MORE_FILES, END_OF_FILE = 0x103, 0xC0000034, 0x80000006, 0xC0000011
INTERNAL_ERROR = 0xC00000E5
FILETIME, MTIME = 133_485_408_000_000_000, datetime(2024, 1, 1, tzinfo=UTC)
ERROR = struct.pack("<HHIB", 9, 0, 0, 0)
CONTENT = b"the frames of one afternoon" * 9
FILE = SourceFile("data/scan.raw", len(CONTENT), MTIME)


@dataclass(frozen=True)
class Message:
    """An answer, and all that its header says."""

    command: int
    message_id: int
    body: bytes
    status: int = 0
    flags: int = ANSWER | SIGNED
    credits: int = 1
    tree_id: int = TREE
    session_id: int = SESSION
    protocol: bytes = b"\xfeSMB"
    step_off_by: int = 0

    def packed(self, *, is_last: bool) -> bytes:
        size = 64 + len(self.body)
        padding = 0 if is_last else -size % 8
        step = 0 if is_last else size + padding + self.step_off_by
        said = (self.status, self.command, self.credits, self.flags, step)
        ids = (self.message_id, 0, self.tree_id, self.session_id, b"")
        return struct.pack("<4sHHIHHIIQIIQ16s", self.protocol, 64, 1, *said, *ids) + self.body + bytes(padding)


def opened(size: int) -> bytes:
    return struct.pack("<HBBIQQQQQQII16sII", 89, 0, 0, 1, 0, 0, FILETIME, 0, 0, size, 0x80, 0, b"handle", 0, 0)


def closed(size: int) -> bytes:
    return struct.pack("<HHIQQQQQQI", 60, 1, 0, 0, 0, FILETIME, 0, 0, size, 0x80)


def data(content: bytes) -> bytes:
    return struct.pack("<HBBIII", 17, 80, 0, len(content), 0, 0) + content


def output(content: bytes) -> bytes:
    return struct.pack("<HHI", 9, 72, len(content)) + content


def entries(*names: str) -> bytes:
    packed = b""
    for number, name in enumerate(names):
        wide = name.encode("utf-16-le")
        padding = -(80 + len(wide)) % 8
        step = 80 + len(wide) + padding if number + 1 < len(names) else 0
        fixed = (step, 0, 0, 0, FILETIME, 0, 7, 0, 0x80, len(wide), 0, 0, number)
        packed += struct.pack("<IIQQQQQQIIIIQ", *fixed) + wide + bytes(padding if step else 0)
    return packed


def whole_file(content: bytes = CONTENT) -> list[Message]:
    size = len(content)
    bodies = [(CREATE, opened(size)), (READ, data(content)), (CLOSE, closed(size))]
    return [Message(command, FIRST_ID + number, body) for number, (command, body) in enumerate(bodies)]


def folder() -> list[Message]:
    bodies = [(CREATE, opened(0)), (QUERY, output(entries("a.raw", "b.raw"))), (QUERY, ERROR), (CLOSE, closed(0))]
    ids = [FIRST_ID, FIRST_ID + 1, FIRST_ID + 5, FIRST_ID + 9]  # a query of 256 KiB costs four credits
    answers = [Message(command, id_, body) for id_, (command, body) in zip(ids, bodies, strict=True)]
    answers[2] = replace(answers[2], status=NO_MORE_FILES)
    return answers


def joined(messages: Sequence[Message], seal: Callable[[bytes], bytes] = lambda message: message) -> bytes:
    last = len(messages) - 1
    return b"".join(seal(message.packed(is_last=number == last)) for number, message in enumerate(messages))


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def signature_added(message: bytes) -> bytes:
    if len(message) < 64:
        return message
    message = message[:48] + bytes(16) + message[64:]
    return message[:48] + hmac.digest(KEY, message, hashlib.sha256)[:16] + message[64:]


def encrypted(content: bytes, *, session_id: int = SESSION, flags: int = 1, size: int | None = None) -> bytes:
    nonce = b"nonce of one"
    header = struct.pack("<16sIHHQ", nonce, len(content) if size is None else size, 0, flags, session_id)
    sealed = AESGCM(KEY).encrypt(nonce, content, header)
    return framed(b"\xfdSMB" + sealed[-16:] + header + sealed[:-16])


def signed(messages: Sequence[Message]) -> bytes:
    return framed(joined(messages, signature_added))


SIGNING = {"signing_algorithm": HMAC_SHA256, "signing_key": KEY}
ENCRYPTION = {"cipher": AES_128_GCM, "encryption_key": KEY, "decryption_key": KEY}
PROTECTIONS = pytest.mark.parametrize(
    ("protection", "seal"),
    [(SIGNING, signed), (ENCRYPTION, lambda messages: encrypted(joined(messages)))],
    ids=["signed", "encrypted"],
)


@dataclass
class Line:
    """What smbprotocol would have handed over, with a server that has said all that it will ever say."""

    address: SmbAddress = ADDRESS
    ends: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def close(self) -> None:
        self.ends[0].close()


@contextmanager
def connected(
    wire: bytes, protection: dict[str, Any], line: Line | None = None, *, has_more: bool = False
) -> Iterator[FramesConnection]:
    line = line or Line()
    try:
        line.ends[1].sendall(wire)
        if not has_more:
            line.ends[1].shutdown(socket.SHUT_WR)
        taken = Handover(line.ends[0], SESSION, TREE, FIRST_ID, 1000, 1 << 20, 1 << 20, **protection)
        line_share: Any = line
        yield FramesConnection(line_share, taken)
    finally:
        for end in line.ends:
            end.close()


def read_one(wire: bytes, protection: dict[str, Any] = SIGNING) -> WholeFile | SourceError:
    with connected(wire, protection) as connection:
        try:
            (answer,) = read_whole(connection, [FILE])
        except SourceUnreachable as error:
            return error
        return answer


def listed(wire: bytes, protection: dict[str, Any] = SIGNING) -> list[FolderListing] | SourceError:
    with connected(wire, protection) as connection:
        try:
            return list(list_folders(lambda: connection))
        except SourceError as error:
            return error


READ_RIGHT = WholeFile(CONTENT, FILE, FILE)


@PROTECTIONS
def test_right_answers_are_taken_as_they_are(protection: dict[str, Any], seal: Callable[..., bytes]) -> None:
    assert read_one(seal(whole_file()), protection) == READ_RIGHT
    listings = listed(seal(folder()), protection)
    assert isinstance(listings, list)
    assert [file.source_path for file in listings[0].files] == ["data/a.raw", "data/b.raw"]


@PROTECTIONS
def test_a_refusal_is_about_its_file_alone(protection: dict[str, Any], seal: Callable[..., bytes]) -> None:
    refused = [replace(message, status=NOT_FOUND, body=ERROR) for message in whole_file()]
    assert type(read_one(seal(refused), protection)) is FileVanished
    unreadable = [replace(message, status=0xC0000123, body=ERROR) for message in whole_file()]
    assert type(read_one(seal(unreadable), protection)) is FileReadFailed


def test_a_handle_that_the_compound_did_not_close_is_closed() -> None:
    opening, *others = whole_file()
    refused = [replace(message, status=0xC0000054, body=ERROR) for message in others]
    line = Line()
    with connected(signed([opening, *refused]), SIGNING, line) as connection:
        (answer,) = read_whole(connection, [FILE])
        sent = line.ends[1].recv(1 << 16)
    assert type(answer) is FileInUse
    assert struct.pack("<HHI16s", 24, 1, 0, b"handle") in sent


@PROTECTIONS
def test_announcements_and_answers_in_pieces_are_waited_for(
    protection: dict[str, Any], seal: Callable[..., bytes]
) -> None:
    first, second, third = whole_file()
    pending = replace(second, status=PENDING, flags=ANSWER | ASYNC, body=ERROR)
    late = replace(second, flags=ANSWER | ASYNC | SIGNED, tree_id=77)
    if protection is SIGNING:  # neither an announcement nor a notice is signed
        unsigned = [framed(joined([pending])), framed(joined([Message(BREAK, 2**64 - 1, bytes(24), flags=ANSWER)]))]
    else:
        unsigned = [seal([pending])]
    wire = b"".join([seal([first]), *unsigned, seal([third]), seal([late])])
    assert read_one(wire, protection) == READ_RIGHT


def in_pieces() -> list[list[Message]]:
    """The answers when a file is opened after its compound, and each read brings a part of it."""
    size_and_time = output(struct.pack("<QQQQQQII", 0, 0, FILETIME, 0, 0, len(CONTENT), 0x80, 0))
    bodies = [(READ, data(CONTENT[:50])), (READ, data(CONTENT[50:])), (READ, ERROR), (QUERY_INFO, size_and_time)]
    opening = Message(CREATE, FIRST_ID + 3, opened(len(CONTENT)))
    answers = [Message(command, FIRST_ID + 4 + number, body) for number, (command, body) in enumerate(bodies)]
    answers[2] = replace(answers[2], status=END_OF_FILE)
    return [[opening, answers[0]], *([answer] for answer in answers[1:])]


@pytest.mark.parametrize(
    "changes",
    [{"status": INTERNAL_ERROR, "body": ERROR}, {"body": data(CONTENT[:50])}],
    ids=["not within a compound", "a part only"],
)
@PROTECTIONS
def test_what_a_compound_does_not_bring_is_read_without_one(
    protection: dict[str, Any], seal: Callable[..., bytes], changes: dict[str, Any]
) -> None:
    opening, reading, closing = whole_file()
    compound = [opening, replace(reading, **changes), closing]
    assert read_one(b"".join(map(seal, [compound, *in_pieces()])), protection) == READ_RIGHT


@PROTECTIONS
def test_a_folder_that_can_not_be_listed_within_a_compound_is_listed_without_one(
    protection: dict[str, Any], seal: Callable[..., bytes]
) -> None:
    opening, first, second, closing = folder()
    refused = [replace(message, status=INTERNAL_ERROR, body=ERROR) for message in (first, second, closing)]
    by_itself = [opening, first, second]
    ids = [FIRST_ID + 11, FIRST_ID + 12, FIRST_ID + 16]  # behind the close that was refused, and sent again
    again = [[replace(message, message_id=id_)] for message, id_ in zip(by_itself, ids, strict=True)]
    assert listed(b"".join(map(seal, [[opening, *refused], *again])), protection) == listed(seal(folder()), protection)


def test_a_silence_is_not_waited_for_twice_and_what_comes_after_it_is_not_read() -> None:
    opening, *others = whole_file()
    line = Line(replace(ADDRESS, timeout_seconds=0.05))
    with connected(signed([opening]), SIGNING, line, has_more=True) as connection:
        make = connection.messages
        compound = [make.open_file("scan.raw", SHARE_ALL), make.read(0, len(CONTENT)), make.close()]
        opened, *asked = connection.send(compound)
        connection.answer(opened)
        for ticket in asked:
            with pytest.raises(TimeoutError):
                connection.answer(ticket)
            line.ends[1].sendall(signed(others))


def test_a_frame_that_comes_byte_by_byte_does_not_come_for_ever() -> None:
    def drip() -> None:
        with suppress(OSError):
            line.ends[1].sendall((1000).to_bytes(4, "big"))
            while not pause.wait(0.01):
                line.ends[1].sendall(b"x")

    line, pause = Line(replace(ADDRESS, timeout_seconds=0.02)), threading.Event()
    with ThreadPoolExecutor(1) as server, connected(b"", SIGNING, line, has_more=True) as connection:
        server.submit(drip)
        (ticket,) = connection.send([connection.messages.close()])
        with pytest.raises(TimeoutError):
            connection.answer(ticket)


def broken_in(place: int, **changes: Any) -> bytes:
    messages = whole_file()
    messages[place] = replace(messages[place], **changes)
    return signed(messages)


CUT_SHORT = {"nothing": b"", "half a length": b"\0\0", "half a frame": signed(whole_file())[:200]}
BROKEN: dict[str, bytes] = {
    "no frame": framed(b""),
    "a frame without end": b"\xff\xff\xff\xff" + bytes(100),
    "another protocol": framed(b"SSH-2.0-OpenSSH_9.2\r\n" * 9),
    "not signed": framed(joined([replace(message, flags=ANSWER) for message in whole_file()])),
    "said to be signed": framed(joined(whole_file())),
    "wrongly signed": framed(joined(whole_file(), lambda packed: signature_added(packed)[:63] + b"?" + packed[64:])),
    "a request": broken_in(0, flags=SIGNED),
    "an id that was never asked": broken_in(1, message_id=99),
    "an id twice": broken_in(1, message_id=FIRST_ID),
    "another command": broken_in(1, command=CLOSE),
    "another session": broken_in(1, session_id=SESSION + 1),
    "another tree": broken_in(1, tree_id=TREE + 1),
    "steps that are not aligned": broken_in(0, step_off_by=4),
    "steps beyond the frame": broken_in(0, step_off_by=8000),
    "steps into the message": broken_in(0, step_off_by=-120),
    "no body": broken_in(1, body=b""),
    "the body of another answer": broken_in(1, body=closed(9)),
    "data beyond the message": broken_in(1, body=struct.pack("<HBBIII", 17, 80, 0, len(CONTENT), 0, 0)),
    "data in the header": broken_in(1, body=struct.pack("<HBBIII", 17, 0, 0, 40, 0, 0) + CONTENT),
    "more data than was asked for": broken_in(1, body=data(CONTENT + b"xx")),
    "announcements without end": framed(joined([Message(READ, FIRST_ID + 1, ERROR, PENDING, ANSWER | ASYNC)])) * 1100,
}  # fmt: skip


@pytest.mark.parametrize("wire", CUT_SHORT.values(), ids=CUT_SHORT.keys())
def test_an_answer_cut_short_is_a_lost_connection(wire: bytes) -> None:
    error = read_one(wire)
    assert type(error) is SourceUnreachable
    assert str(error) == "microscope-01:445 ended the connection"


@pytest.mark.parametrize("wire", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_told_as_one(wire: bytes) -> None:
    error = read_one(wire)
    assert type(error) is SourceUnreachable
    assert "does not speak SMB 2 or 3 as expected (" in str(error)


@pytest.mark.parametrize(
    "wire",
    [
        signed(whole_file()),
        encrypted(joined(whole_file()), session_id=SESSION + 1),
        encrypted(joined(whole_file()), flags=0),
        encrypted(joined(whole_file()), size=50),
        encrypted(joined(whole_file()))[:-1] + b"?",
        framed(b"\xfdSMB"),
    ],
    ids=["not encrypted", "another session", "not said to be", "another size", "tampered with", "no header"],
)
def test_an_answer_that_is_not_encrypted_as_it_should_be_is_told_as_broken(wire: bytes) -> None:
    error = read_one(wire, ENCRYPTION)
    assert type(error) is SourceUnreachable
    assert "does not speak SMB 2 or 3 as expected (an" in str(error)


def large_file() -> tuple[bytes, list[list[Message]]]:
    content = bytes(range(256)) * 530
    first, rest = content[:65_536], content[65_536:]
    opening = [Message(CREATE, FIRST_ID, opened(len(content))), Message(READ, FIRST_ID + 1, data(first))]
    end = Message(READ, FIRST_ID + 4, ERROR, END_OF_FILE)
    return content, [opening, [Message(READ, FIRST_ID + 2, data(rest))], [end]]


def read_large(wire: bytes, protection: dict[str, Any]) -> bytes | SourceError:
    with connected(wire, protection) as connection:
        try:
            file = OpenSmbFile(connection, "data/scan.raw")
            return b"".join(file.chunks())
        except SourceError as error:
            return error


@PROTECTIONS
@given(place=st.integers(0, 10**6), bits=st.integers(0, 255))
@settings(max_examples=60, deadline=None)
@example(place=0, bits=0)
def test_data_received_apart_are_proven_like_all_others(
    protection: dict[str, Any], seal: Callable[..., bytes], place: int, bits: int
) -> None:
    content, answers = large_file()
    wire = bytearray(b"".join(map(seal, answers)))
    wire[place % len(wire)] ^= bits
    received = read_large(bytes(wire), protection)
    assert received == content if not bits else isinstance(received, SourceError)


Mutation = Callable[[bytes], bytes]


def overwritten(place: int, new: bytes) -> Mutation:
    return lambda old: old[: place % (len(old) + 1)] + new + old[place % (len(old) + 1) + len(new) :]


def flipped(place: int, bit: int) -> Mutation:
    return lambda old: overwritten(place, bytes([old[place % len(old)] ^ 1 << bit]))(old) if old else old


def cut_out(place: int, length: int) -> Mutation:
    return lambda old: old[: place % (len(old) + 1)] + old[place % (len(old) + 1) + length :]


def preceded(new: bytes) -> Mutation:
    return lambda old: new + old


def replaced(new: bytes) -> Mutation:
    return lambda _old: new


def doubled() -> Mutation:
    return lambda old: old + old


PLACES = st.integers(0, 2000)
MUTATIONS: st.SearchStrategy[Mutation] = st.one_of(
    st.builds(overwritten, PLACES, st.binary(max_size=9)),
    st.builds(flipped, PLACES, st.integers(0, 7)),
    st.builds(cut_out, PLACES, st.integers(1, 2000)),
    st.builds(preceded, st.binary(max_size=100)),
    st.builds(replaced, st.binary(max_size=300)),
    st.builds(doubled),
)


@PROTECTIONS
@given(mutations=st.lists(MUTATIONS, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_happens_to_an_answer_on_its_way_no_wrong_bytes_are_read(
    protection: dict[str, Any], seal: Callable[..., bytes], mutations: list[Mutation]
) -> None:
    wire, right = seal(whole_file()), listed(seal(folder()), protection)
    listing = seal(folder())
    for mutate in mutations:
        wire, listing = mutate(wire), mutate(listing)
    answer = read_one(wire, protection)
    assert answer == READ_RIGHT or isinstance(answer, SourceUnreachable)
    seen = listed(listing, protection)
    assert seen == right or isinstance(seen, SourceUnreachable)


@PROTECTIONS
@given(which=st.integers(0, 3), mutations=st.lists(MUTATIONS, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_a_broken_server_says_the_error_is_clean(
    protection: dict[str, Any], seal: Callable[..., bytes], which: int, mutations: list[Mutation]
) -> None:
    def broken(messages: list[Message]) -> bytes:
        packed = [message.packed(is_last=message is messages[-1]) for message in messages]
        for mutate in mutations:
            packed[which % len(packed)] = mutate(packed[which % len(packed)])
        if protection is SIGNING:
            return framed(b"".join(map(signature_added, packed)))
        return encrypted(b"".join(packed))

    answer = read_one(broken(whole_file()), protection)
    assert isinstance(answer, SourceError) or len(answer.content) <= len(CONTENT) + 1
    seen = listed(broken(folder()), protection)
    assert isinstance(seen, SourceError) or all(isinstance(listing, FolderListing) for listing in seen)
