"""Passwords are kept as argon2id hashes (RFC 9106), and checking one takes as long for a stranger as for a user."""

import os
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
# each takes 64 MiB while it is worked out: a flood of logins must not take all memory
_AT_ONCE = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))


def hash_password(password: str) -> str:
    """A salted hash, which carries its own parameters."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def password_matches(password: str, password_hash: str | None) -> bool:
    """Whether the hash was made from ``password``.

    Without a hash (there is no such user) the same work is done against nobody's, so that the time taken doesn't tell
    which addresses are registered.
    """
    nobodys_hash = _nobodys_hash()
    try:
        with _AT_ONCE:
            return _HASHER.verify(password_hash or nobodys_hash, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return hash_password("nobody")
