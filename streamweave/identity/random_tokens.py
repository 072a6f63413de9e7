"""Tokens that mean nothing in themselves: 32 random bytes, of which only a digest is kept.

A plain SHA-256 suffices: unlike passwords, they can't be guessed.
"""

import hashlib
import secrets

RANDOM_BYTES = 32


def random_token(prefix: str = "") -> str:
    """A new token, fit for URLs and headers."""
    return prefix + secrets.token_urlsafe(RANDOM_BYTES)


def token_digest(token: str) -> bytes:
    """What is kept of a token; whatever text it is."""
    return hashlib.sha256(token.encode(errors="backslashreplace")).digest()
