"""A heart: a thread that stamps "I live" again and again while a block of code runs, however long that takes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError


@contextmanager
def beating(beat: Callable[[], object], *, every_seconds: float, name: str) -> Iterator[None]:
    """Call ``beat`` every so many seconds, in a thread called ``name``, until the block ends.

    A beat that meets a database in trouble is dropped: a restart must not end what lives, and the next beat tries
    again.
    """
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every_seconds):
            try:
                beat()
            except SQLAlchemyError:
                continue

    heart = threading.Thread(target=go_on, name=name, daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
