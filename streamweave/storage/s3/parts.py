"""The parts of a staged file: how large they are, and what their names tell.

A part's name is its number, the SHA-256 of its bytes, and for the last one a word that says so: whoever publishes knows
what the server has to find there, and that nothing is missing.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from streamweave.errors import StorageRefused
from streamweave.storage.s3.composition import Ingredient

SMALLEST_PART_BYTES = 8 << 20
PARTS_OF_ONE_SIZE = 1000
DOUBLINGS = 2
MOST_PARTS = 320_000
LAST = "-last"


def part_bytes(number: int) -> int:
    """The size of part ``number``, counted from 1: 8 MiB, from 8 GiB on 16, from 24 GiB on 32 MiB and no more."""
    return SMALLEST_PART_BYTES << min((number - 1) // PARTS_OF_ONE_SIZE, DOUBLINGS)


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A part of a staged file; ``sha256`` in hexadecimal digits."""

    number: int
    sha256: str
    is_last: bool
    key: str
    size_bytes: int

    def as_ingredient(self) -> Ingredient:
        """The part as the server is asked to copy it."""
        return Ingredient(self.key, b64encode(bytes.fromhex(self.sha256)).decode())


def new_part(folder: str, number: int, content: bytes, *, is_last: bool) -> Part:
    """The part that ``content`` is to be, below the key ``folder``."""
    sha256 = hashlib.sha256(content).hexdigest()
    return Part(number, sha256, is_last, f"{folder}/{number:06}-{sha256}{LAST if is_last else ''}", len(content))


def part_of(key: str, size_bytes: int) -> Part:
    """The part that a key names. Raises ``StorageRefused``."""
    number, _, sha256 = key.rpartition("/")[2].partition("-")
    try:
        return Part(int(number), sha256.removesuffix(LAST), sha256.endswith(LAST), key, size_bytes)
    except ValueError as error:
        raise StorageRefused(f"{key} is no part of a staged file: who has put it there?") from error


def are_complete(parts: Sequence[Part]) -> bool:
    """Whether these, sorted, are all parts of one file."""
    found = [(part.number, part.is_last) for part in parts]
    return found == [(number, number == len(parts)) for number in range(1, len(parts) + 1)]
