"""How much room is left where posix locations are. An object store has no end that we could ask for."""

import os
import threading
from dataclasses import dataclass

ANSWERS_WITHIN_SECONDS = 5.0
"""A network file system whose server is gone lets whoever asks wait for ever."""

_waiting: dict[str, threading.Thread] = {}


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system: all of it, and what is free for us."""

    total: int
    free: int


def space_at(path: str) -> Space | None:
    """The room in the file system that holds ``path``; None when it isn't there, or doesn't answer in time.

    Whoever still waits for an earlier answer is not joined by another.
    """
    answers: list[Space] = []
    thread = _waiting.get(path)
    if thread is None or not thread.is_alive():
        thread = _waiting[path] = threading.Thread(target=_ask, args=(path, answers), daemon=True)
        thread.start()
        thread.join(ANSWERS_WITHIN_SECONDS)
    return answers[0] if answers else None


def _ask(path: str, answers: list[Space]) -> None:
    try:
        found = os.statvfs(path)
    except OSError:
        return
    answers.append(Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize))
