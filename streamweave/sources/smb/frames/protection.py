"""What keeps a session's messages from being read or changed on their way: signatures, or encryption."""

from typing import Protocol


class Protection(Protocol):
    """How requests are made safe to send, and answers are proven to come from the server as they are."""

    frames_are_plain: bool
    """Whether the messages of a frame can be looked at as they are received; what they say is proven later."""

    def seal_message(self, message: bytes, message_id: int) -> bytes:
        """One message of a frame, its padding included."""

    def seal_frame(self, frame: bytes) -> bytes:
        """A frame of messages that are sealed."""

    def open_frame(self, frame: bytearray) -> memoryview:
        """The messages of a frame. Raises ``BrokenAnswer``."""

    def check_message(self, message: memoryview, message_id: int, payload: bytes = b"") -> None:
        """Prove one message, of which ``payload`` was received apart. Raises ``BrokenAnswer``."""
