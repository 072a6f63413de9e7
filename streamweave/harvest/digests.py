"""Sets of digests that stay small, however many there are."""

from collections.abc import Iterable, Iterator

DIGEST_BYTES = 16


class Digests:
    """A set of MD5 digests in little more than the 16 bytes that each takes; Python's own needs 110 for one.

    Those that begin alike stand in one string, which is searched through: about 250 where there are a million.
    """

    def __init__(self, digests: Iterable[bytes] = ()) -> None:
        self._strings: dict[int, bytearray] = {}
        self._count = 0
        for digest in digests:
            self.add(digest)

    def add(self, digest: bytes) -> None:
        """Put one in, unless it is there."""
        string = self._strings.setdefault(_beginning(digest), bytearray())
        if not _holds(string, digest):
            string += digest
            self._count += 1

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, bytes) and _holds(self._strings.get(_beginning(digest), b""), digest)

    def __iter__(self) -> Iterator[bytes]:
        for string in self._strings.values():
            for start in range(0, len(string), DIGEST_BYTES):
                yield bytes(string[start : start + DIGEST_BYTES])

    def __len__(self) -> int:
        return self._count


def _beginning(digest: bytes) -> int:
    return digest[0] << 4 | digest[1] >> 4


def _holds(string: bytes | bytearray, digest: bytes) -> bool:
    place = string.find(digest)
    while place > 0 and place % DIGEST_BYTES:  # found across two of them
        place = string.find(digest, place + 1)
    return place >= 0
