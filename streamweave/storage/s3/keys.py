"""Keys of objects: what S3 takes as a name, and gives back as it was."""

import re

from streamweave.errors import PathUnusable, StorageRefused
from streamweave.storage.enclosure import path_components

LONGEST_KEY = 1024  # bytes in UTF-8: the limit of S3

# Listings are XML 1.0, which can't hold them (its section 2.2), and proxies take offence at the others.
_UNLISTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


def key_problem(key: str) -> str | None:
    """Why ``key`` can't be one, or None if it can."""
    try:
        path_components(key)
    except StorageRefused:
        return "must not hold empty parts, '.' or '..'"
    if _UNLISTABLE.search(key):
        return "must not hold control characters"
    if (length := len(key.encode())) > LONGEST_KEY:
        return f"has {length} bytes in UTF-8; S3 takes at most {LONGEST_KEY}"
    return None


def checked_key(prefix: str, path: str) -> str:
    """The key of ``path`` below ``prefix``.

    Raises ``StorageRefused`` for a path that leads out of it, and ``PathUnusable`` for one that S3 takes as no key.
    """
    path_components(path)
    key = f"{prefix}/{path}" if prefix else path
    if problem := key_problem(key):
        raise PathUnusable(f"{path!r} can't be stored: the key {key!r} {problem}")
    return key
