"""What commands that serve have in common: they talk line by line, and stay until a signal ends them."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def until_a_signal() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block, and say so."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both: whoever starts us in the background may have SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        say("stopped")


def wait() -> NoReturn:
    """Stay until a signal comes."""
    while True:
        # not signal.pause(): a signal that arrives just before it would go unnoticed until the next one
        time.sleep(1)


def say(line: str) -> None:
    """Print at once: whoever reads may be a program that waits for the line."""
    print(line, flush=True)
