"""Deadlines: one for all steps of a request, since a server that drips keeps every single step short."""

import time

from streamweave.errors import WebhookTimedOut


class Deadline:
    """A moment of the monotonic clock, and the patience in seconds that it came from."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, more than 0. Raises ``WebhookTimedOut`` when it has passed."""
        seconds = self._at - time.monotonic()
        if seconds <= 0:
            raise self.missed()
        return seconds

    def missed(self) -> WebhookTimedOut:
        """The error that says so."""
        return WebhookTimedOut(f"no complete answer within {self.seconds:g} seconds")
