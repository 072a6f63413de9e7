"""Copying: what is read of a source, what a copy of it must be, and how both are told apart from anything else.

The source must be what settled, before and after it is read: a file that changed meanwhile is not archived, it settles
anew. The copy is proven by reading all of it back, from the device where the system lets us ask for that.

What was read is put on record by two digests, XXH64 and SHA-256. What is read back is held against the XXH64 alone. It
has to show damage done by chance, by memory, a bus or a disk, which 64 well mixed bits miss once in 1.8e19 times, at a
third of the cost of SHA-256; against somebody who forges bytes on our own device between writing and reading back no
digest taken there would help. Re-readings of the archive use SHA-256.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import xxhash

from streamweave.errors import ContentDiffers, CopyNotProven, FileChanged, FileReadFailed, StreamWeaveError
from streamweave.harvest.claims import Claim
from streamweave.sources.base import SourceFile


@dataclass(frozen=True, slots=True)
class Digest:
    """What some bytes come down to, in hexadecimal: XXH64 (its specification, seed 0) and SHA-256 (FIPS 180-4)."""

    xxhash: str
    sha256: str
    size_bytes: int


class Hashing:
    """Takes bytes piece by piece and tells their digest."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._xxhash = xxhash.xxh64()
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        self._xxhash.update(data)
        self._sha256.update(data)
        self.size_bytes += len(data)

    def digest(self) -> Digest:
        """The digest of all pieces so far."""
        return Digest(self._xxhash.hexdigest(), self._sha256.hexdigest(), self.size_bytes)


def digest_of(chunks: Iterable[bytes]) -> Digest:
    """The digest of a content that comes in pieces."""
    hashing = Hashing()
    for chunk in chunks:
        hashing.update(chunk)
    return hashing.digest()


class ReadBack:
    """Takes a staged copy piece by piece, and tells whether it is what was read of the source."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._xxhash = xxhash.xxh64()

    def update(self, data: bytes | memoryview) -> None:
        """Take the next piece."""
        self._xxhash.update(data)
        self.size_bytes += len(data)

    def expect(self, claim: Claim, read: Digest) -> None:
        """Raise ``CopyNotProven`` unless all pieces so far are the bytes that were read."""
        found = self._xxhash.hexdigest()
        if (self.size_bytes, found) != (read.size_bytes, read.xxhash):
            raise CopyNotProven(
                f"{claim.source_path}: read back as {self.size_bytes} bytes with XXH64 {found}, "
                f"written as {read.size_bytes} bytes with XXH64 {read.xxhash}"
            )


@dataclass(frozen=True, slots=True)
class Copied:
    """A staged, proven copy."""

    claim: Claim
    digest: Digest


@dataclass(frozen=True, slots=True)
class NotCopied:
    """No copy, and why."""

    claim: Claim
    error: StreamWeaveError


Finished = Sequence[Copied | NotCopied]


def expect_settled(claim: Claim, found: SourceFile) -> None:
    """Raise ``FileChanged`` unless the source shows what settled."""
    if (found.size_bytes, found.mtime) != (claim.size_bytes, claim.mtime):
        raise FileChanged(
            f"{claim.source_path}: settled with {claim.size_bytes} bytes of {claim.mtime:%Y-%m-%d %H:%M:%S}, "
            f"now {found.size_bytes} bytes of {found.mtime:%Y-%m-%d %H:%M:%S}"
        )


def expect_complete(claim: Claim, size_bytes: int) -> None:
    """Raise ``FileChanged`` unless as many bytes were read as settled."""
    if size_bytes != claim.size_bytes:
        raise FileChanged(f"{claim.source_path}: {size_bytes} bytes were read of a file of {claim.size_bytes}")


def expect_the_content_archived_elsewhere(claim: Claim, digest: Digest) -> None:
    """Raise ``ContentDiffers`` when another storage location has this version with another content."""
    if claim.sha256 not in (None, digest.sha256):
        raise other_content(claim)


def other_content(claim: Claim) -> ContentDiffers:
    """The error of a copy with another content than another storage location has of this version."""
    return ContentDiffers(
        f"{claim.source_path}: its content is no longer that of the version archived elsewhere, "
        "though size and mtime are the same"
    )


def unexpected(claim: Claim, error: Exception) -> NotCopied:
    """No copy for a reason that nobody thought of: it is about this file, and must not stop the others."""
    return NotCopied(claim, FileReadFailed(f"{claim.source_path}: unexpected {type(error).__name__}: {error}"))
