"""The times of archived copies: what they are set to, and what they say about a copy later."""

import errno
import os
from datetime import UTC, datetime, timedelta

FIRST_TIME, LAST_TIME = datetime(1901, 12, 14, tzinfo=UTC), datetime(2038, 1, 19, tzinfo=UTC)
"""What every file system for archives can hold: 32 bits of seconds around 1970."""
GRANULARITY_NS = 2_000_000_000
"""The coarsest clock of a file system (FAT and exFAT keep even seconds)."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""So far the clock of a storage server may be ahead of ours."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# where times can't be set, or only by others, the copy keeps the time at which it was made
_NOT_TO_BE_SET = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EOVERFLOW}
)


def copy_mtime_ns(source_mtime: datetime) -> int:
    """The mtime of a copy whose source has this one, in nanoseconds since 1970; impossible times become possible ones.

    What an instrument reports may lie anywhere (a dead clock battery, a date of zero), and a copy must not fail because
    of it.
    """
    return nanoseconds(min(max(source_mtime, FIRST_TIME), LAST_TIME))


def nanoseconds(time: datetime) -> int:
    """Nanoseconds since 1970."""
    return (time - EPOCH) // MICROSECOND * 1000


def time_of(mtime_ns: int) -> datetime:
    """The time of an mtime, in UTC; what lies beyond all years becomes the first or the last moment of them."""
    try:
        return EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if mtime_ns > 0 else datetime.min.replace(tzinfo=UTC)


def set_mtime(handle: int, mtime: datetime | None) -> None:
    """Set the mtime of an open file, if there is one to be set, and if its file system allows that."""
    if mtime is None:
        return
    time = copy_mtime_ns(mtime)
    try:
        os.utime(handle, ns=(time, time))
    except OSError as error:
        if error.errno not in _NOT_TO_BE_SET:
            raise


def is_unmodified(mtime_ns: int, source_mtime: datetime, proven_at: datetime) -> bool:
    """Whether a copy with this mtime was not written to since its content was last proven, as far as times can tell.

    A copy carries the mtime of its source, so any other one tells of somebody who has written to it; rounded, as some
    file systems keep only even seconds. Copies that were archived before copies did so, or where times can't be set,
    have the time at which they were made. That was before their content was proven (by reading it back, or by a later
    re-reading): whatever was written before is part of that proof, and whatever is written afterwards shows a later
    time. Who sets times on purpose can hide from this; re-reading finds that.
    """
    if abs(mtime_ns - copy_mtime_ns(source_mtime)) < GRANULARITY_NS:
        return True
    return mtime_ns <= nanoseconds(proven_at + CLOCK_TOLERANCE)
