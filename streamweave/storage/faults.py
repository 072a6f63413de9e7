"""What a file system's refusals mean for an archive."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from streamweave.errors import PathUnusable, StorageError, StorageRefused, StorageUnavailable

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

# What a final path is answered that only another name can help against: something else has the name of one of its
# parts (or a folder holds as many folders as it can), or the file system takes no such name.
IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EMLINK})
NO_SUCH_NAME = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})

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


def as_path_error(error: OSError, place: object, part: int) -> StorageError:
    """As ``as_storage_error``, for what making a final path is answered at its ``part``-th part."""
    if error.errno in IN_THE_WAY:
        return PathUnusable(f"{place}: {EXPLANATIONS.get(error.errno or 0) or error.strerror}", part)
    if error.errno in NO_SUCH_NAME:
        return PathUnusable(f"{place}: the file system takes no such name ({error.strerror})")
    return as_storage_error(error, place)


@contextmanager
def storage_errors(place: object) -> Iterator[None]:
    """Raise what the operating system reports within the block as a ``StorageError`` about ``place``."""
    try:
        yield
    except OSError as error:
        raise as_storage_error(error, place) from error
