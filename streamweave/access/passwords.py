"""Password hashes (argon2id, RFC 9106) and the passwords that are too easily guessed.

A hash takes 64 MiB and about 0.1 s of processor time. Therefore all of them pass through one short queue: few are
computed side by side, in threads of low priority on half of the cores, and few may wait. A request beyond those is
refused at once, with the time after which to try again, so a flood of logins takes neither memory, nor the service's
threads, nor the cores that its other responses need.

A password must be long enough and not be on a list of those that are tried first; there are no rules of composition
(NIST SP 800-63B, section 5.1.1.2).
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from streamweave.errors import TooBusy

T = TypeVar("T")

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)  # each uses four cores if it can
WAITING = 4
RETRY_AFTER_SECONDS = 2
NICENESS = 10

_HASHER = PasswordHasher()
SERVICE = "streamweave"
SHORTEST_WORD = 4
_NO_LETTERS = re.compile(r"[\W\d_]+")


def _lower_priority() -> None:
    """On Linux a thread has a priority and cores of its own, and argon2's threads inherit both."""
    with contextlib.suppress(OSError, AttributeError):
        thread, cores = threading.get_native_id(), sorted(os.sched_getaffinity(0))
        os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
        os.sched_setaffinity(thread, cores[len(cores) // 2 :])


class HashingQueue:
    """Runs at most ``at_once`` calls side by side, first come first served; at most ``waiting`` more wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = at_once + waiting
        self._taken = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(at_once, "argon2", initializer=_lower_priority)

    def run(self, call: Callable[[], T]) -> T:
        """What ``call`` returns or raises. Raises ``TooBusy`` at once where no place is free."""
        with self._lock:
            if self._taken == self._places:
                raise TooBusy(RETRY_AFTER_SECONDS)
            self._taken += 1
            outcome = self._threads.submit(call)
        try:
            return outcome.result()
        finally:
            with self._lock:
                self._taken -= 1

    @property
    def places_taken(self) -> int:
        """How many calls run or wait."""
        return self._taken


_QUEUE = HashingQueue(AT_ONCE, WAITING)


def hash_password(password: str) -> str:
    """A salted hash, which carries its own parameters. Raises ``TooBusy``."""
    return _QUEUE.run(lambda: _HASHER.hash(password))


def password_matches(password: str, password_hash: str | None) -> bool:
    """Whether the hash was made from ``password``. Raises ``TooBusy``.

    Without a hash (there is no such user) the same work is done against a dummy, so that the time taken doesn't
    reveal which addresses are registered.
    """
    return _QUEUE.run(lambda: _matches(password, password_hash or _dummy_hash())) and password_hash is not None


def _matches(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _dummy_hash() -> str:
    return _HASHER.hash("nobody")


def weakness(password: str, email: str | None = None) -> str | None:
    """Why it is easily guessed, as the rest of a sentence; None if it is not.

    ``email`` is the user's address.
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
