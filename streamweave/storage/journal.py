"""The journals of a storage location: what was archived there, beside the files themselves.

A journal is a file of lines that one writer alone appends to; the writer remembers how long it is. Its name is
``day/word``, so that the newest come last. Beside the journals the *head* names the one that was written to last: one
small read tells whether anything was archived that somebody does not know of. What the lines say is the business of
``streamweave.journal``.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from streamweave.errors import StorageRefused

JOURNALS = "journal"
"""The folder of all journals, within the location's own."""
HEAD = "head"
HEAD_BYTES = 128
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9A-Za-z-]{1,64}", re.ASCII)


class Reached(NamedTuple):
    """How far a journal reaches: ``size`` is its length in bytes."""

    name: str
    size: int


NOT_LEGIBLE = Reached("", 0)
"""A head that says nothing: its writer died, or it was changed or lost. Every journal has to be read."""


class Journal(Protocol):
    """The journals of one catalog in one storage location. Every method may raise a ``StorageError``."""

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """Write ``lines`` at byte ``offset``, which is the end of the journal ``name``; 0 begins it.

        Returns when they will survive a loss of power. What an earlier call left behind ``offset`` when it failed is
        replaced. Only whoever began a journal appends to it: nothing is locked, since network file systems can't.
        """

    def head(self) -> Reached | None:
        """The journal that was last appended to; None when there is no journal, ``NOT_LEGIBLE`` when only the head is
        missing. Raises when the location does not exist.
        """

    def sizes(self, since: str = "") -> dict[str, int]:
        """The lengths of all journals whose names are not less than ``since``, in the order of their names.

        Whatever else is in their folder, such as what a desktop or a synchronising program leaves, is passed over.
        """

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """A journal's bytes from ``offset`` on, in pieces."""


def is_name(name: str) -> bool:
    """Whether a journal can have this name."""
    return _NAME.fullmatch(name) is not None


def checked_name(name: str) -> str:
    """The same name. Raises ``StorageRefused`` for one that is none."""
    if not is_name(name):
        raise StorageRefused(f"{name!r} is not a name of a journal")
    return name


def head_content(reached: Reached) -> bytes:
    """What a head holds: always as many bytes, so that one write replaces another completely."""
    return f"{reached.name} {reached.size}".encode().ljust(HEAD_BYTES - 1) + b"\n"


def head_told_by(content: bytes) -> Reached:
    """What a head says."""
    name, _, size = content.decode(errors="replace").strip().partition(" ")
    return Reached(name, int(size)) if is_name(name) and size.isdecimal() else NOT_LEGIBLE
