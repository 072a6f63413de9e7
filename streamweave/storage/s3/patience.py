"""How long an S3 server is waited for, and how often it is asked again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds; ``silent_seconds`` between two pieces of an answer. Retries are spaced twice as far each time."""

    connect_seconds: float = 10
    silent_seconds: float = 60
    request_seconds: float = 600
    retries: int = 4
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 10

    def pause_seconds(self, retry: int) -> float:
        """How long to wait before a retry, counted from 0."""
        return min(self.first_pause_seconds * (1 << retry), self.longest_pause_seconds)

    @property
    def longest(self) -> timedelta:
        """How long one request and all its retries may take."""
        return timedelta(seconds=self.request_seconds)


PATIENCE = Patience()
