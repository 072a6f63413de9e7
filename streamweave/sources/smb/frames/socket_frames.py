"""Frames on a socket: four bytes that tell the length, and the messages ([MS-SMB2] 2.1)."""

import io
import socket
from collections.abc import Callable
from time import monotonic

from streamweave.sources.base import WHOLE_FILE_BYTES
from streamweave.sources.smb.wire_errors import BrokenAnswer

LARGEST_FRAME_BYTES = WHOLE_FILE_BYTES + (1 << 16)  # the largest answer that is asked for, and what comes with it
RECEIVED_AT_ONCE = 1 << 14  # at least: some answers about small files, or the beginning of a large one
TIMEOUTS_OF_A_FRAME = 10  # within which it must be whole, however slow the line: some bytes come in time for ever


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
        self._received = self._buffer[:0]  # what nobody has taken yet
        self._deadline = 0.0  # of the frame that is received

    def send(self, frame: bytes) -> None:
        """Send one frame."""
        self._socket.sendall(len(frame).to_bytes(4, "big") + frame)

    def next_length(self) -> int:
        """Wait for a frame, and tell how many bytes long it is. Raises ``BrokenAnswer`` for one that can't be."""
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
