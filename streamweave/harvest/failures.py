"""What follows from a failed transfer: a further attempt after a while, settling anew, or a person. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.errors import (
    FileChanged,
    FileUnreadable,
    FileVanished,
    SourceError,
    SourceFileError,
    StorageUnavailable,
    StreamWeaveError,
    Transient,
)

LONGEST_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Consequence:
    """The version's next state. With ``retry_at`` a further transfer is planned for that time."""

    state: VersionState
    reason: str
    failures: int
    retry_at: datetime | None = None


def consequence(error: StreamWeaveError, failures: int, instrument: Instrument, now: datetime) -> Consequence:
    """Decide what follows from ``error``, after ``failures`` earlier failed attempts.

    Transient failures are tried again after ``retry_delay_seconds``, doubled with each failure up to an hour, until
    ``max_attempts`` are used up; a share that refuses us and a storage that is full are no fault of the file's, and use
    up nothing. Permanent failures end up in front of a person at once.
    """
    match error:
        case FileChanged():
            return Consequence(VersionState.SETTLING, f"changed while it was copied: {error}", 0)
        case FileVanished():
            return Consequence(VersionState.VANISHED, str(error), failures)
        case FileUnreadable():
            return Consequence(VersionState.UNREADABLE, str(error), failures)
        case Transient() if isinstance(error, StorageUnavailable) or failures + 1 < instrument.max_attempts:
            retry_at = now + retry_delay(instrument, failures)
            reason = f"attempt {failures + 1} failed: {error}; tried again after {retry_at:%Y-%m-%d %H:%M:%S} UTC"
            return Consequence(VersionState.PENDING, reason, failures + 1, retry_at)
        case Transient():
            return Consequence(VersionState.FAILED, f"{failures + 1} attempts failed, the last: {error}", failures + 1)
        case SourceError() if not isinstance(error, SourceFileError):
            return Consequence(VersionState.PENDING, str(error), failures, now + retry_delay(instrument, failures))
        case _:
            return Consequence(VersionState.FAILED, str(error), failures + 1)


def retry_delay(instrument: Instrument, failures: int) -> timedelta:
    """How long to wait before the next attempt, after ``failures`` earlier ones."""
    return min(timedelta(seconds=instrument.retry_delay_seconds * 2 ** min(failures, 20)), LONGEST_DELAY)
