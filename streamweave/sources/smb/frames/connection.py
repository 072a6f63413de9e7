"""A connection to a share in frames of our own: requests out, answers in.

``Exchange`` counts message ids and credits, and checks what an answer must pass. A frame is four bytes with the length,
and the messages ([MS-SMB2] 2.1). The window of message ids that a server lets us use is what its credits allow
([MS-SMB2] 3.2.4.1.6).
"""

import io
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from streamweave.sources.base import WHOLE_FILE_BYTES
from streamweave.sources.smb import answers
from streamweave.sources.smb.answers import HEADER_BYTES
from streamweave.sources.smb.connection import (
    CREDITS_WANTED,
    PUT_OFF_AT_MOST,
    UNSOLICITED,
    OpenedShare,
    ShareConnection,
)
from streamweave.sources.smb.errors import PENDING, WIRE_ERRORS, BrokenAnswer, Refused
from streamweave.sources.smb.frames import messages
from streamweave.sources.smb.frames.handover import Handover
from streamweave.sources.smb.frames.messages import Header, Packed
from streamweave.sources.smb.frames.protection import Encryption, Protection, Signing

LARGEST_FRAME_BYTES = WHOLE_FILE_BYTES + (1 << 16)  # the largest answer that is asked for, and what comes with it
RECEIVED_AT_ONCE = 1 << 14  # at least: some answers about small files, or the beginning of a large one
TIMEOUTS_OF_A_FRAME = 10  # within which it must be whole: a server that sends a byte now and then never ends
READ_ANSWER_BYTES = HEADER_BYTES + 16  # what comes before the data
APART_FROM = 1 << 16  # of a frame that is longer, a read's data are received where they stay
NOTICES_AT_MOST = 1024  # that announce an answer, or ask for none: far more than requests can be under way


@dataclass(slots=True)
class Answer:
    """An answer that is proven. Of a large read, ``payload`` is the data."""

    status: int
    body: memoryview
    payload: bytes = b""


class Exchange:
    """All requests and answers of one tree. A ticket is the request's message id."""

    def __init__(self, socket: "FrameSocket", protection: Protection, taken: Handover) -> None:
        self._socket, self._protection = socket, protection
        self._session_id, self._tree_id = taken.session_id, taken.tree_id
        self._flags = messages.IS_SIGNED if protection.frames_are_plain else 0
        self.credits = taken.credits  # how many more requests of up to 64 KiB may be sent
        self._next_id = taken.next_id
        self._commands: dict[int, int] = {}  # of the requests under way, by message id
        self._answers: dict[int, Answer] = {}  # not taken yet
        self._unwanted: set[int] = set()
        self._notices, self._answered_at = 0, monotonic()  # since the last answer, and when that came
        self._put_off_at_most = PUT_OFF_AT_MOST * socket.timeout_seconds
        self._sent_at = monotonic()
        self._fault: Exception | None = None  # after which nothing is received any more

    def send(self, compound: Sequence[Packed]) -> list[int]:
        """Send messages, more than one as a compound on one handle; a ticket for each."""
        self._await_credits(sum(message.charge for message in compound))
        tickets, parts, last = [], [], len(compound) - 1
        for place, message in enumerate(compound):
            message_id = self._next_id
            self._next_id += message.charge
            self.credits -= message.charge
            self._commands[message_id] = message.command
            tickets.append(message_id)
            parts.append(self._packed(message, message_id, is_related=place > 0, is_last=place == last))
        self._sent_at = monotonic()
        self._socket.send(self._protection.seal_frame(b"".join(parts)))
        return tickets

    def _await_credits(self, charge: int) -> None:
        while self.credits < charge:
            if not self._commands:
                raise BrokenAnswer(f"only {self.credits} credits, where {charge} are needed")
            self._receive()

    def _packed(self, message: Packed, message_id: int, *, is_related: bool, is_last: bool) -> bytes:
        command, body, charge = message
        size = HEADER_BYTES + len(body)
        padding = 0 if is_last else -size % 8
        step = 0 if is_last else size + padding
        flags = self._flags | messages.IS_RELATED if is_related else self._flags
        wanted = max(charge, CREDITS_WANTED - self.credits)
        packed = messages.pack(command, charge, wanted, flags, step, message_id, self._tree_id, self._session_id)
        return self._protection.seal_message(packed + body + bytes(padding), message_id)

    def take(self, ticket: int) -> Answer:
        """The answer, waited for. Raises ``Refused``, ``BrokenAnswer`` or ``OSError``."""
        while ticket not in self._answers:
            if ticket not in self._commands:
                raise BrokenAnswer("an answer that was taken before")
            self._receive()
        answer = self._answers.pop(ticket)
        if answer.status:
            raise Refused(answer.status)
        return answer

    def discard(self, tickets: Iterable[int]) -> None:
        """Forget these answers, those to come as well."""
        for ticket in tickets:
            if self._answers.pop(ticket, None) is None and ticket in self._commands:
                self._unwanted.add(ticket)

    def _receive(self) -> None:
        """Receive one frame. After a failure every further call fails: no second wait, no half frame is continued."""
        if self._fault:
            raise self._fault
        try:
            self._receive_frame()
        except Exception as fault:
            self._fault = fault
            raise

    def _receive_frame(self) -> None:
        length = self._socket.next_length()
        if length > APART_FROM and self._protection.frames_are_plain:
            self._receive_large(length)
            return
        frame = bytearray(length)
        self._socket.fill(memoryview(frame))
        self._accept_all(frame)

    def _receive_large(self, length: int) -> None:
        head = bytearray(READ_ANSWER_BYTES)
        self._socket.fill(memoryview(head))
        if _is_read_data(head, length):
            data = self._socket.take(length - READ_ANSWER_BYTES)
            self._accept(messages.unpack(head), memoryview(head), data)
            return
        frame = head + bytearray(length - READ_ANSWER_BYTES)
        self._socket.fill(memoryview(frame)[READ_ANSWER_BYTES:])
        self._accept_all(frame)

    def _accept_all(self, frame: bytearray) -> None:
        for header, message in messages.messages_in(self._protection.open_frame(frame)):
            self._accept(header, message)

    def _accept(self, header: Header, message: memoryview, payload: bytes = b"") -> None:
        if header.message_id == UNSOLICITED and header.command == messages.OPLOCK_BREAK:
            self._notice()  # the probe for writers has closed the file already, as this asks for
            return
        if self._commands.get(header.message_id) != header.command:
            raise BrokenAnswer("an answer that was not asked for")
        is_async = header.flags & messages.IS_ASYNC  # then the header has an AsyncId instead of the tree id
        if header.session_id != self._session_id or not (is_async or header.tree_id == self._tree_id):
            raise BrokenAnswer("an answer of another session or share")
        if header.status == PENDING:  # never signed (3.2.5.1.3)
            self.credits += header.credits
            self._notice()
            return
        self._protection.check_message(message, header.message_id, payload)
        self.credits += header.credits
        self._notices, self._answered_at = 0, monotonic()
        del self._commands[header.message_id]
        if header.message_id in self._unwanted:
            self._unwanted.remove(header.message_id)
        else:
            self._answers[header.message_id] = Answer(header.status, message[HEADER_BYTES:], payload)

    def _notice(self) -> None:
        self._notices += 1
        if self._notices > NOTICES_AT_MOST:
            raise BrokenAnswer("notices without end, and no answer")
        if monotonic() - max(self._answered_at, self._sent_at) > self._put_off_at_most:
            raise TimeoutError


def _is_read_data(head: bytearray, length: int) -> bool:
    """Whether a frame of ``length`` bytes is one answer to a read, with the data right behind its ``head``."""
    if not head.startswith(messages.PROTOCOL):
        return False
    header = messages.unpack(head)
    is_data = header.command == messages.READ and header.status == 0 and not header.next_offset
    return is_data and answers.follows_at_once(memoryview(head)[HEADER_BYTES:], length - READ_ANSWER_BYTES)


class FrameSocket:
    """A connected socket, whose every wait is bounded.

    By ``timeout_seconds``; and by ``patience()``, where all waits together have an end. Each method raises
    ``TimeoutError``, ``ConnectionError`` or another ``OSError``.
    """

    def __init__(
        self, connected: socket.socket, timeout_seconds: float, patience: Callable[[], float] | None = None
    ) -> None:
        self._socket = connected
        self.timeout_seconds = timeout_seconds
        self._patience = patience
        self._socket.settimeout(timeout_seconds)
        self._length = bytearray(4)
        self._buffer = memoryview(bytearray(RECEIVED_AT_ONCE))
        self._received = self._buffer[:0]  # not taken yet
        self._deadline = 0.0  # of the frame that is received

    def send(self, frame: bytes) -> None:
        self._socket.sendall(len(frame).to_bytes(4, "big") + frame)

    def next_length(self) -> int:
        """Wait for a frame; returns its length in bytes. Raises ``BrokenAnswer`` for one that is too long."""
        self._deadline = monotonic() + TIMEOUTS_OF_A_FRAME * self.timeout_seconds
        self.fill(memoryview(self._length))
        length = int.from_bytes(self._length, "big")
        if length > LARGEST_FRAME_BYTES:
            raise BrokenAnswer(f"a frame of {length} bytes")
        return length

    def fill(self, view: memoryview) -> None:
        """Receive as many bytes of the frame as the view holds."""
        while True:
            taken = min(len(view), len(self._received))
            view[:taken], self._received = self._received[:taken], self._received[taken:]
            view = view[taken:]
            if len(view) >= RECEIVED_AT_ONCE:
                view = view[self._receive(view) :]
            elif view:
                self._received = self._buffer[: self._receive(self._buffer)]
            if not view:
                return
            if monotonic() > self._deadline:
                raise TimeoutError

    def _receive(self, view: memoryview) -> int:
        if self._patience is not None:
            self._socket.settimeout(self._patience())
        received = self._socket.recv_into(view)
        if not received:
            raise ConnectionResetError
        return received

    def take(self, length: int) -> bytes:
        """The frame's next ``length`` bytes, received where they stay: ``getvalue`` hands out the filled buffer."""
        buffer = io.BytesIO(bytes(length))
        with buffer.getbuffer() as view:
            self.fill(view)
        return buffer.getvalue()

    def is_ended(self) -> bool:
        """Whether the server has ended the connection; nothing that it sent before is taken."""
        try:
            self._socket.settimeout(0)
            is_ended = not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            is_ended = False
        except OSError:
            return True
        self._socket.settimeout(self.timeout_seconds)
        return is_ended


class FramesConnection(ShareConnection):
    """See ``ShareConnection`` for what each method promises; a ticket is a message's id."""

    messages = messages

    def __init__(self, share: OpenedShare, taken: Handover) -> None:
        super().__init__(share.address)
        self._share = share
        self.largest_read, self.largest_listing = taken.largest_read, taken.largest_listing
        address = share.address
        patience = None if address.deadline is None else address.patience
        self._socket = FrameSocket(taken.socket, address.timeout_seconds, patience)
        self._exchange = Exchange(self._socket, protection_of(taken), taken)

    @property
    def is_alive(self) -> bool:
        return not self._socket.is_ended()

    @property
    def credits(self) -> int:
        return self._exchange.credits

    def send(self, messages: Sequence[Packed]) -> list[int]:
        return self._exchange.send(messages)

    def answer(self, ticket: int) -> memoryview:
        return self._exchange.take(ticket).body

    def _data(self, ticket: int) -> bytes:
        answer = self._exchange.take(ticket)
        return answer.payload or answers.data(answer.body)

    def discard(self, tickets: Iterable[int]) -> None:
        self._exchange.discard(tickets)

    def release(self, handle: bytes) -> None:
        try:
            self.discard(self.send([messages.close(handle)]))
        except WIRE_ERRORS:
            self.close()

    def close(self) -> None:
        """Close the socket, which smbprotocol still holds."""
        self._share.close()


def protection_of(taken: Handover) -> Protection:
    """Encryption where the session or the share demands it, else signatures."""
    if taken.cipher is None:
        return Signing(taken.signing_algorithm, taken.signing_key)
    return Encryption(taken.cipher, taken.encryption_key, taken.decryption_key, taken.session_id)
