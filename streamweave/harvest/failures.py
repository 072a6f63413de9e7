"""What follows from a failed transfer: a further attempt after a while, settling anew, or a person. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.errors import (
    ContentDiffers,
    FileChanged,
    FileUnreadable,
    FileVanished,
    SourceError,
    SourceFileError,
    StorageRefused,
    StorageUnavailable,
    StreamWeaveError,
    Transient,
)

LONGEST_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Consequence:
    """The version's next state. In the state ``pending`` a further transfer is planned; not before ``retry_at``."""

    state: VersionState
    reason: str
    failures: int
    retry_at: datetime | None = None


def consequence(
    error: StreamWeaveError, *, failures: int, attempt: int, instrument: Instrument, now: datetime
) -> Consequence:
    """Decide what follows from ``error``, at the ``attempt``-th transfer, after ``failures`` of the file's own.

    Transient failures are tried again after ``retry_delay_seconds``, doubled with each attempt up to an hour, until
    ``max_attempts`` are used up. A share that fails or refuses us and a storage that is full or not for us are no
    fault of the file's, and use up nothing. A content that is no longer that of the version archived elsewhere belongs
    to a further version. Other permanent failures end up in front of a person at once; so does, after
    ``max_attempts``, a file that settles again and again and changes whenever it is copied.
    """
    retry_at = now + retry_delay(instrument, attempt - 1)
    match error:
        case FileChanged() if failures + 1 >= instrument.max_attempts:
            reason = f"changed during each of {failures + 1} copies: {error}"
            return Consequence(VersionState.OVERDUE, reason, failures + 1, retry_at)
        case FileChanged():
            reason = f"changed while it was copied: {error}"
            return Consequence(VersionState.SETTLING, reason, failures + 1, retry_at if failures else None)
        case ContentDiffers():
            return Consequence(VersionState.SUPERSEDED, str(error), failures)
        case FileVanished():
            return Consequence(VersionState.VANISHED, str(error), failures)
        case FileUnreadable():
            return Consequence(VersionState.UNREADABLE, str(error), failures)
        case _ if _is_no_fault_of_the_file(error):
            return Consequence(VersionState.PENDING, _again(error, attempt, retry_at), failures, retry_at)
        case Transient() if failures + 1 < instrument.max_attempts:
            return Consequence(VersionState.PENDING, _again(error, attempt, retry_at), failures + 1, retry_at)
        case Transient():
            return Consequence(VersionState.FAILED, f"{failures + 1} attempts failed, the last: {error}", failures + 1)
        case _:
            return Consequence(VersionState.FAILED, str(error), failures + 1)


def _is_no_fault_of_the_file(error: StreamWeaveError) -> bool:
    of_the_share = isinstance(error, SourceError) and not isinstance(error, SourceFileError)
    return of_the_share or isinstance(error, StorageUnavailable | StorageRefused)


def _again(error: StreamWeaveError, attempt: int, retry_at: datetime) -> str:
    return f"attempt {attempt} failed: {error}; tried again after {retry_at:%Y-%m-%d %H:%M:%S} UTC"


def retry_delay(instrument: Instrument, failures: int) -> timedelta:
    """How long to wait before the next attempt, after ``failures`` earlier ones."""
    return min(timedelta(seconds=instrument.retry_delay_seconds * 2 ** min(failures, 20)), LONGEST_DELAY)
