"""Copying: read the source once into a staged file, hashing on the way, then read the staged file back and compare.

The source must be the same before and after: a file that changed while it was read is not archived, it settles anew.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import xxhash

from streamweave.errors import CopyNotProven, FileChanged
from streamweave.harvest.claims import Claim
from streamweave.sources.base import Source, SourceFile
from streamweave.storage.base import Storage


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


def copy_proven(source: Source, storage: Storage, claim: Claim) -> Digest:
    """Stage a proven copy of the claimed version in its storage; returns the digest that source and copy share.

    Raises ``FileChanged`` when the source is not what settled, ``CopyNotProven`` when the bytes read back differ, and
    whatever source and storage raise. Nothing staged is left behind by an error.
    """
    read = _copy(source, storage, claim)
    try:
        _prove(storage, claim, read)
    except BaseException:
        storage.discard(claim.staged_name)
        raise
    return read


def _copy(source: Source, storage: Storage, claim: Claim) -> Digest:
    hashing = Hashing()
    with source.open(claim.source_path) as file:
        _expect(claim, file.now())
        with storage.stage(claim.staged_name) as staged:
            for chunk in file.chunks():
                staged.write(chunk)
                hashing.update(chunk)
                if hashing.size_bytes > claim.size_bytes:
                    break  # it grows: reading on might never end
            _expect(claim, file.now())
            if hashing.size_bytes != claim.size_bytes:
                raise FileChanged(
                    f"{claim.source_path}: {hashing.size_bytes} bytes were read of a file of {claim.size_bytes}"
                )
    return hashing.digest()


def _prove(storage: Storage, claim: Claim, read: Digest) -> None:
    read_back = digest_of(storage.read_staged(claim.staged_name))
    if read_back != read:
        raise CopyNotProven(
            f"{claim.source_path}: read back as {read_back.size_bytes} bytes {read_back.sha256}, "
            f"written as {read.size_bytes} bytes {read.sha256}"
        )


def _expect(claim: Claim, found: SourceFile) -> None:
    if (found.size_bytes, found.mtime) != (claim.size_bytes, claim.mtime):
        raise FileChanged(
            f"{claim.source_path}: settled with {claim.size_bytes} bytes of {claim.mtime:%Y-%m-%d %H:%M:%S}, "
            f"now {found.size_bytes} bytes of {found.mtime:%Y-%m-%d %H:%M:%S}"
        )
