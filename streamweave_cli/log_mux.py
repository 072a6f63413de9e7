"""The output of the child processes, line by line, each line with the name of its process."""

import os
import selectors
from collections import deque
from typing import IO, Self

from rich.console import Console
from rich.text import Text

from streamweave.printable import printable_besides_colours

COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_cyan", "bright_magenta")
NAME_WIDTH = 11
LAST_LINES = 8
CHUNK_BYTES = 65_536
LONGEST_LINE_BYTES = 65_536


class LogMux:
    """Prints ``name | line`` for each line of the streams it follows, and remembers the last lines of each.

    There is no thread: whoever waits for something calls `pump` meanwhile.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._selector = selectors.DefaultSelector()
        self._begun: dict[str, bytes] = {}
        self._last: dict[str, deque[str]] = {}
        self._reader_is_gone = False

    def follow(self, name: str, stream: IO[bytes]) -> None:
        """Relay what comes out of ``stream`` until its end."""
        os.set_blocking(stream.fileno(), False)
        self._begun[name] = b""
        self._last.setdefault(name, deque(maxlen=LAST_LINES))
        self._selector.register(stream, selectors.EVENT_READ, name)

    def pump(self, seconds: float) -> None:
        """Wait at most ``seconds`` for output and print what came."""
        for key, _ in self._selector.select(seconds):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]  # `follow` registered it
            try:
                chunk = os.read(stream.fileno(), CHUNK_BYTES)
            except BlockingIOError:
                continue
            self._take(key.data, chunk)
            if not chunk:
                self._selector.unregister(stream)
                stream.close()

    def drain(self) -> None:
        """Print what is there already."""
        while self._selector.get_map() and self._selector.select(0):
            self.pump(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Follow nothing any more."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # `follow` registered streams only
        self._selector.close()

    def say(self, line: str, name: str = "streamweave") -> None:
        """Print a line under ``name``."""
        if self._reader_is_gone:
            return
        prefix = Text(f"{name:>{NAME_WIDTH}} | ", style=self._colour(name))
        text = Text.from_ansi(printable_besides_colours(line))
        try:
            self._console.print(prefix + text, soft_wrap=True, highlight=False)
        except OSError:  # the terminal or the pipe behind our output is gone: the system is not
            self._reader_is_gone = True

    def last_lines(self, name: str) -> list[str]:
        """The last lines of ``name``, oldest first."""
        return list(self._last.get(name, ()))

    def _take(self, name: str, chunk: bytes) -> None:
        *lines, begun = (self._begun[name] + chunk).split(b"\n")
        if begun and (not chunk or len(begun) > LONGEST_LINE_BYTES):
            lines, begun = [*lines, begun], b""
        self._begun[name] = begun
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self._last[name].append(text)
            self.say(text, name)

    def _colour(self, name: str) -> str:
        if name not in self._begun:
            return "bold"
        return COLOURS[list(self._begun).index(name) % len(COLOURS)]
