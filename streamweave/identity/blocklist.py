"""Passwords that are tried first: the commonest ones, plain sequences, and the words of this place.

NIST SP 800-63B, section 5.1.1.2: a password is long enough and not on such a list; there are no rules of composition.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

SERVICE = "streamweave"
SHORTEST_WORD = 4
_NO_LETTERS = re.compile(r"[\W\d_]+")


def weakness(password: str, email: str | None = None) -> str | None:
    """Why it would be guessed soon, as the rest of a sentence; None if nothing speaks against it.

    ``email`` is the address of whoever it is for.
    """
    plain = password.casefold()
    if plain in _commonest():
        return "is one of the commonest passwords: choose another one"
    if _is_sequence(plain):
        return "is one character repeated, or a plain sequence: choose another one"
    if _consists_of(plain, _words(email)):
        return "is the name of this service, or your e-mail address: choose another one"
    return None


def _is_sequence(text: str) -> bool:
    steps = {ord(second) - ord(first) for first, second in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def _consists_of(text: str, words: Iterator[str]) -> bool:
    """Whether nothing but digits and punctuation is left without the words: ``StreamWeave-2026!``."""
    letters = rest = _NO_LETTERS.sub("", text)
    for word in words:
        rest = rest.replace(word, "")
    return letters != "" and rest == ""


def _words(email: str | None) -> Iterator[str]:
    """The longest first, so that none is missed because a part of it was taken out before."""
    local, _, domain = (email or "").casefold().partition("@")
    parts = [SERVICE, *(_NO_LETTERS.sub("", part) for part in (local, *domain.split(".")))]
    yield from sorted((part for part in parts if len(part) >= SHORTEST_WORD), key=len, reverse=True)


@cache
def _commonest() -> frozenset[str]:
    # 15 MiB and 0.3 s: only for those who set passwords
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
