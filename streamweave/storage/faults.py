"""What a file system's refusals mean for an archive."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from streamweave.errors import StorageError, StorageRefused, StorageUnavailable

# It stays so until a person changes something; every other error may pass by itself.
LASTING = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENAMETOOLONG,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENOENT,
        errno.EINVAL,
        errno.EILSEQ,
        errno.EXDEV,
    }
)

EXPLANATIONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "it is read-only",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ENOTDIR: "part of the path is a file or a link, not a folder",
    errno.ELOOP: "part of the path is a link, which is not followed",
    errno.ENOENT: "it is not there: is the disk mounted?",
    errno.EXDEV: "it lies on another file system than the location",
}


def as_storage_error(error: OSError, place: object) -> StorageError:
    """The error of our tree that says what ``error`` means, with the place where it happened."""
    reason = EXPLANATIONS.get(error.errno or 0) or error.strerror or str(error)
    kind = StorageRefused if error.errno in LASTING else StorageUnavailable
    return kind(f"{place}: {reason}")


@contextmanager
def storage_errors(place: object) -> Iterator[None]:
    """Raise what the operating system reports within the block as a ``StorageError`` about ``place``."""
    try:
        yield
    except OSError as error:
        raise as_storage_error(error, place) from error
