"""Copying and proving: what a copy must be, and how it is shown to be that.

The source must be what settled, before and after it is read: a file that changed in between is not archived, it settles
again. The copy is proven by reading all of it back, from the device where the system allows that.

What was read is recorded by two digests, XXH64 and SHA-256. What is read back is compared by XXH64 alone: it has to
show accidental damage by memory, a bus or a disk, which 64 well mixed bits miss once in 1.8e19 times, at a third of the
cost of SHA-256. No digest taken there would help against a person who forges bytes on our own device between writing
and reading back. Re-readings of the archive use SHA-256.

Small files are staged, flushed to the device and read back a batch at a time (``prove_batch``). Of large files,
reading, hashing, writing and reading back overlap, a few pieces apart (``copy_proven``).

Of a file that keeps growing, the bytes that the last scan saw are copied. They are read twice, one whole reading after
the other, and must be the same both times, while the file is never shorter; its mtime may change. So there was a
moment, between the two readings, at which the file began with exactly these bytes. What was rewritten in between, such
as a header that counts the frames behind it, differs the second time, and there is no copy then.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import xxhash

from streamweave.errors import (
    ContentDiffers,
    CopyNotProven,
    FileChanged,
    FileReadFailed,
    FileVanished,
    SourceUnreachable,
    StorageError,
    StreamWeaveError,
)
from streamweave.harvest.background_thread import BackgroundThread
from streamweave.harvest.claims import Claim
from streamweave.sources.base import FileOpener, SourceFile, WholeFile
from streamweave.storage.base import StagedWriter, Storage

BATCH_FILES = 128
BATCH_BYTES = 4 << 20
BATCH_SECONDS = 1.0
"""A batch is passed on when it has so many files or bytes, or is so old."""
PIECES_AHEAD = 8
SPAN_BYTES = 64 << 20
SPANS_AHEAD = 2
"""Reading continues while so many pieces wait to be hashed or written, and so many spans to be read back.

The pieces are some MiB more than a storage writes at a time: while one block is written, the next one gathers.
"""
Listener = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Digest:
    """The digests of some bytes, in hexadecimal: XXH64 (its specification, seed 0) and SHA-256 (FIPS 180-4)."""

    xxhash: str
    sha256: str
    size_bytes: int


class Hashing:
    """Computes the digest of bytes that come in pieces."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._xxhash = xxhash.xxh64()
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._xxhash.update(data)
        self._sha256.update(data)
        self.size_bytes += len(data)

    def digest(self) -> Digest:
        return Digest(self._xxhash.hexdigest(), self._sha256.hexdigest(), self.size_bytes)


def digest_of(chunks: Iterable[bytes], on_bytes: Listener = lambda number_of_bytes: None) -> Digest:
    """The digest of a content that comes in pieces; ``on_bytes`` gets the length of each before it is hashed."""
    hashing = Hashing()
    for chunk in chunks:
        on_bytes(len(chunk))
        hashing.update(chunk)
    return hashing.digest()


class ReadBack:
    """Takes a staged copy piece by piece, and compares it with what was read of the source."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._xxhash = xxhash.xxh64()

    def update(self, data: bytes | memoryview) -> None:
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
class Failed:
    """A claim that could not be fulfilled: there is no copy, or it got no final name."""

    claim: Claim
    error: StreamWeaveError


Finished = Sequence[Copied | Failed]


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


def unexpected(claim: Claim, error: Exception) -> Failed:
    """No copy because of a bug: it concerns this file, and must not stop the others."""
    return Failed(claim, FileReadFailed(f"{claim.source_path}: unexpected {type(error).__name__}: {error}"))


ReadResult = WholeFile | StreamWeaveError


@dataclass(slots=True)
class Batch:
    """Small files that were read: the content of each, or its error."""

    read: list[tuple[Claim, ReadResult]] = field(default_factory=list)
    size_bytes: int = 0
    begun: float = field(default_factory=time.monotonic)

    def add(self, claim: Claim, result: ReadResult) -> None:
        self.read.append((claim, result))
        if isinstance(result, WholeFile):
            self.size_bytes += len(result.content)

    @property
    def is_full(self) -> bool:
        """Whether it is to be passed on."""
        enough = len(self.read) >= BATCH_FILES or self.size_bytes >= BATCH_BYTES
        return enough or time.monotonic() - self.begun >= BATCH_SECONDS


def prove_batch(batch: Batch, storages: Mapping[uuid.UUID, Storage]) -> list[Copied | Failed]:
    """Stage the files of a batch and read them back. A file without a copy leaves nothing staged."""
    results: list[Copied | Failed] = []
    usable: dict[uuid.UUID, list[tuple[Claim, bytes, Digest]]] = {}
    for claim, result in batch.read:
        try:
            content, digest = _usable(claim, result)
        except StreamWeaveError as error:
            results.append(Failed(claim, error))
        else:
            usable.setdefault(claim.storage_location_id, []).append((claim, content, digest))
    for location_id, copies in usable.items():
        results += _prove(storages[location_id], copies)
    return results


def _usable(claim: Claim, result: ReadResult) -> tuple[bytes, Digest]:
    if not isinstance(result, WholeFile):
        raise result
    expect_settled(claim, result.at_opening)
    expect_settled(claim, result.at_closing)
    expect_complete(claim, len(result.content))
    digest = digest_of([result.content])
    expect_the_content_archived_elsewhere(claim, digest)
    return result.content, digest


def _prove(storage: Storage, copies: list[tuple[Claim, bytes, Digest]]) -> Iterator[Copied | Failed]:
    failed = storage.stage_whole(
        {claim.staged_name: content for claim, content, _ in copies},
        {claim.staged_name: claim.mtime for claim, _, _ in copies},
    )
    yield from (Failed(claim, failed[name]) for claim, _, _ in copies if (name := claim.staged_name) in failed)
    staged = [(claim, digest) for claim, _, digest in copies if claim.staged_name not in failed]
    contents = storage.read_staged_whole([claim.staged_name for claim, _ in staged])
    for (claim, digest), content in zip(staged, contents, strict=True):
        try:
            _compare(claim, digest, content)
            yield Copied(claim, digest)
        except StorageError as error:
            storage.discard(claim.staged_name)
            yield Failed(claim, error)


def _compare(claim: Claim, digest: Digest, content: bytes | StorageError) -> None:
    if isinstance(content, StorageError):
        raise content
    read_back = ReadBack()
    read_back.update(content)
    read_back.expect(claim, digest)


def expect_grown(claim: Claim, found: SourceFile) -> None:
    """Raise ``FileChanged`` unless the source holds at least what the last scan saw."""
    if found.size_bytes < claim.size_bytes:
        raise FileChanged(
            f"{claim.source_path}: it was growing with {claim.size_bytes} bytes, and now has only {found.size_bytes}"
        )


def expect_only_grown(claim: Claim, read: Digest, again: Digest) -> None:
    """Raise ``FileChanged`` unless ``again``, of a second reading of the source, is what was ``read``."""
    if again != read:
        raise FileChanged(f"{claim.source_path}: it was rewritten while it was copied, and not only grew")


def copy_proven(
    source: FileOpener, storage: Storage, claim: Claim, on_bytes: Listener = lambda number_of_bytes: None
) -> Digest:
    """Stage a proven copy of the claimed version in its storage; returns the digest that source and copy share.

    ``on_bytes`` is called with the length of each piece that was read; it may wait to slow the reading down. Raises
    ``FileChanged`` when the source is not what settled, ``ContentDiffers``, ``CopyNotProven`` when the bytes read back
    differ, and whatever source and storage raise. Nothing staged is left behind by an error.
    """
    copy = _Copy(storage, claim)
    try:
        read = copy.take(pieces(source, claim), on_bytes)
        if claim.is_unfinished:
            expect_only_grown(claim, read, digest_of(pieces(source, claim), on_bytes))
        copy.prove(read)
    except BaseException:
        storage.discard(claim.staged_name)
        raise
    return read


def pieces(source: FileOpener, claim: Claim) -> Iterator[bytes]:
    """The content of a file that stays what settled; of an unfinished file, which may keep growing, what settled.

    After a lost connection the reading resumes where it was, if the file is still the same. Raises
    ``SourceUnreachable`` when a connection was lost twice at the same byte.
    """
    expect = expect_grown if claim.is_unfinished else expect_settled
    offset = 0
    lost_at: int | None = None
    while True:
        try:
            with source.open(claim.source_path) as file:
                expect(claim, file.now())
                for chunk in file.chunks(offset):
                    piece = chunk[: claim.size_bytes - offset] if claim.is_unfinished else chunk
                    offset += len(piece)
                    if offset > claim.size_bytes or not piece:
                        break  # it grows, and the reading might never end
                    yield piece
                expect(claim, file.now())
                expect_complete(claim, offset)
            _expect_untouched(source, claim, expect)
            return
        except SourceUnreachable:
            if lost_at == offset:
                raise
            lost_at = offset


def _expect_untouched(source: FileOpener, claim: Claim, expect: Callable[[Claim, SourceFile], None]) -> None:
    """Raise ``FileChanged`` unless the file, opened once more, is as ``expect`` wants it.

    While any client has a file open, Samba shows the mtime that it had when it was opened: only after we have closed it
    can we see that it was written to in the meantime. What was read of a file that has since been renamed or deleted is
    the last there is, and is accepted.
    """
    with suppress(FileVanished), source.open(claim.source_path) as file:
        expect(claim, file.now())


class _Copy:
    """One large file: pieces are hashed and written side by side, and read back behind the writing."""

    def __init__(self, storage: Storage, claim: Claim) -> None:
        self._storage = storage
        self._claim = claim
        self._read_back = ReadBack()

    def take(self, content: Iterator[bytes], on_bytes: Listener) -> Digest:
        hashing = Hashing()
        with self._storage.stage(self._claim.staged_name, self._claim.mtime) as staged, ExitStack() as threads:
            hasher, writer = (threads.enter_context(_thread(PIECES_AHEAD)) for _ in range(2))
            prover = threads.enter_context(_thread(SPANS_AHEAD))
            taken = 0
            for piece in content:
                on_bytes(len(piece))
                hasher.do(hashing.update, piece)
                writer.do(staged.write, piece)
                taken += len(piece)
                if taken >= SPAN_BYTES:
                    prover.do(self._prove_settled, staged)
                    taken = 0
            for thread in (hasher, writer, prover):
                thread.wait()
            digest = hashing.digest()
            expect_the_content_archived_elsewhere(self._claim, digest)
            return digest

    def _prove_settled(self, staged: StagedWriter) -> None:
        self._read(staged.settle() - self._read_back.size_bytes)

    def prove(self, read: Digest) -> None:
        """Read back what is left; raise ``CopyNotProven`` unless all of it is what was read."""
        self._read(None)
        self._read_back.expect(self._claim, read)

    def _read(self, length: int | None) -> None:
        if length is None or length > 0:
            for piece in self._storage.read_staged(self._claim.staged_name, self._read_back.size_bytes, length):
                self._read_back.update(piece)


def _thread(ahead: int) -> BackgroundThread:
    return BackgroundThread("copy", ahead=ahead, drop_on_error=True)
