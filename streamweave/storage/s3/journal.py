"""Journals in a bucket, where nothing can be appended to: each call makes an object, named by where it begins."""

from collections.abc import Iterator

from streamweave.storage.journal import (
    HEAD,
    NOT_LEGIBLE,
    Reached,
    checked_name,
    head_content,
    head_told_by,
    is_name,
)
from streamweave.storage.s3.bucket import Bucket

OFFSET_DIGITS = 16


class BucketJournal:
    """The journals below the key ``folder``. ``streamweave.storage.journal.Journal`` says what each method promises."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """One object for the lines, and one for the head."""
        self._bucket.put(f"{self._folder}/{checked_name(name)}/{offset:0{OFFSET_DIGITS}}", lines)
        self._bucket.put(f"{self._folder}/{HEAD}", head_content(Reached(name, offset + len(lines))))

    def head(self) -> Reached | None:
        """What the head's object says."""
        content = self._bucket.content(f"{self._folder}/{HEAD}")
        if content is not None:
            return head_told_by(content)
        return None if next(self._parts("", ""), None) is None else NOT_LEGIBLE

    def sizes(self, since: str = "") -> dict[str, int]:
        """Where the last object of each journal ends."""
        sizes: dict[str, int] = {}
        for name, offset, size in self._parts("", since):
            sizes[name] = max(sizes.get(name, 0), offset + size)
        return dict(sorted(sizes.items()))

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """Object by object. One that an earlier one reaches beyond was left by a call that failed, and is passed over.

        So is one that begins behind ``offset`` only in part: nobody reads from the midst of an object.
        """
        end = offset
        for _, start, size in sorted(self._parts(checked_name(name), "")):
            if start >= end:
                yield self._bucket.content(f"{self._folder}/{name}/{start:0{OFFSET_DIGITS}}") or b""
                end = start + size

    def _parts(self, below: str, since: str) -> Iterator[tuple[str, int, int]]:
        """Name, offset and size of each object."""
        skip = len(self._folder) + 1
        after = f"{self._folder}/{since}" if since else None
        for meta in self._bucket.below(f"{self._folder}/{below}".rstrip("/"), after=after):
            name, _, offset = meta["path"][skip:].rpartition("/")
            if offset.isdecimal() and is_name(name):
                yield name, int(offset), meta["size"]
