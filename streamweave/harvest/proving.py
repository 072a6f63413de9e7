"""Proving: small files that were read are staged, brought to the device, and read back, a batch at a time."""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streamweave.errors import StorageError, StreamWeaveError
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import (
    Copied,
    Digest,
    NotCopied,
    ReadBack,
    digest_of,
    expect_complete,
    expect_settled,
    expect_the_content_archived_elsewhere,
)
from streamweave.sources.base import WholeFile
from streamweave.storage.base import Storage

BATCH_FILES = 128
BATCH_BYTES = 4 << 20
BATCH_SECONDS = 1.0
"""A batch goes on when it has so many files or bytes, or is so old."""

Answer = WholeFile | StreamWeaveError


@dataclass(slots=True)
class Batch:
    """Files that were read, with what came of each."""

    answers: list[tuple[Claim, Answer]] = field(default_factory=list)
    size_bytes: int = 0
    begun: float = field(default_factory=time.monotonic)

    def add(self, claim: Claim, answer: Answer) -> None:
        """One more."""
        self.answers.append((claim, answer))
        if isinstance(answer, WholeFile):
            self.size_bytes += len(answer.content)

    @property
    def is_full(self) -> bool:
        """Whether it should go on."""
        enough = len(self.answers) >= BATCH_FILES or self.size_bytes >= BATCH_BYTES
        return enough or time.monotonic() - self.begun >= BATCH_SECONDS


def prove_batch(batch: Batch, storages: Mapping[uuid.UUID, Storage]) -> list[Copied | NotCopied]:
    """Stage the files of a batch and read them back. A file without a copy leaves nothing staged."""
    results: list[Copied | NotCopied] = []
    read: dict[uuid.UUID, list[tuple[Claim, bytes, Digest]]] = {}
    for claim, answer in batch.answers:
        try:
            content, digest = _usable(claim, answer)
        except StreamWeaveError as error:
            results.append(NotCopied(claim, error))
        else:
            read.setdefault(claim.storage_location_id, []).append((claim, content, digest))
    for location_id, copies in read.items():
        results += _prove(storages[location_id], copies)
    return results


def _usable(claim: Claim, answer: Answer) -> tuple[bytes, Digest]:
    if not isinstance(answer, WholeFile):
        raise answer
    expect_settled(claim, answer.at_opening)
    expect_settled(claim, answer.at_closing)
    expect_complete(claim, len(answer.content))
    digest = digest_of([answer.content])
    expect_the_content_archived_elsewhere(claim, digest)
    return answer.content, digest


def _prove(storage: Storage, copies: list[tuple[Claim, bytes, Digest]]) -> Iterator[Copied | NotCopied]:
    failed = storage.stage_whole(
        {claim.staged_name: content for claim, content, _ in copies},
        {claim.staged_name: claim.mtime for claim, _, _ in copies},
    )
    yield from (NotCopied(claim, failed[name]) for claim, _, _ in copies if (name := claim.staged_name) in failed)
    staged = [(claim, digest) for claim, _, digest in copies if claim.staged_name not in failed]
    contents = storage.read_staged_whole([claim.staged_name for claim, _ in staged])
    for (claim, digest), content in zip(staged, contents, strict=True):
        try:
            _compare(claim, digest, content)
            yield Copied(claim, digest)
        except StorageError as error:
            storage.discard(claim.staged_name)
            yield NotCopied(claim, error)


def _compare(claim: Claim, digest: Digest, content: bytes | StorageError) -> None:
    if isinstance(content, StorageError):
        raise content
    read_back = ReadBack()
    read_back.update(content)
    read_back.expect(claim, digest)
