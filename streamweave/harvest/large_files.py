"""Large files: reading, hashing, writing and reading back overlap, a few pieces apart."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from streamweave.errors import FileVanished, SourceUnreachable
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import (
    Digest,
    Hashing,
    ReadBack,
    expect_complete,
    expect_settled,
    expect_the_content_archived_elsewhere,
)
from streamweave.settling.growth import expect_grown, expect_only_grown
from streamweave.sources.base import FileOpener, SourceFile
from streamweave.storage.base import StagedWriter, Storage

PIECES_AHEAD = 8
SPAN_BYTES = 64 << 20
SPANS_AHEAD = 2
"""Reading goes on while so many pieces wait to be hashed or written, and so many spans to be read back.

The pieces are some MiB more than a storage writes at a time: while a block is on its way, the next one gathers.
"""

Listener = Callable[[int], None]


def copy_proven(
    source: FileOpener, storage: Storage, claim: Claim, on_bytes: Listener = lambda number_of_bytes: None
) -> Digest:
    """Stage a proven copy of the claimed version in its storage; returns the digest that source and copy share.

    ``on_bytes`` hears of each piece that was read; it may take its time to slow the reading down. Raises
    ``FileChanged`` when the source is not what settled, ``ContentDiffers``, ``CopyNotProven`` when the bytes read back
    differ, and whatever source and storage raise. Nothing staged is left behind by an error.
    """
    copy = _Copy(storage, claim)
    try:
        read = copy.take(pieces(source, claim), on_bytes)
        if claim.is_unfinished:
            expect_only_grown(claim, read, pieces(source, claim), on_bytes)
        copy.prove(read)
    except BaseException:
        storage.discard(claim.staged_name)
        raise
    return read


def pieces(source: FileOpener, claim: Claim) -> Iterator[bytes]:
    """The content of a file that stays what settled, over as many connections as it takes.

    Of an unfinished file, which may grow on, so much as settled.

    After a lost connection the reading goes on where it was, if the file is still the same. Raises
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
                        break  # it grows: reading on might never end
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
    """Raise ``FileChanged`` unless the file, asked for anew, is as ``expect`` wants it.

    As long as somebody has a file open, Samba shows to everybody the mtime that it had when it was opened: only after
    we have closed it can we see that it was written to meanwhile, if it stayed as long. What was read of a file that
    has been renamed or deleted meanwhile is the last there is, and is taken.
    """
    with suppress(FileVanished), source.open(claim.source_path) as file:
        expect(claim, file.now())


class _Copy:
    """One file on its way: pieces are hashed and written side by side, and read back behind the writing."""

    def __init__(self, storage: Storage, claim: Claim) -> None:
        self._storage = storage
        self._claim = claim
        self._read_back = ReadBack()

    def take(self, content: Iterator[bytes], on_bytes: Listener) -> Digest:
        """Stage all pieces of ``content``."""
        hashing = Hashing()
        with self._storage.stage(self._claim.staged_name, self._claim.mtime) as staged, ExitStack() as threads:
            hasher, writer = (threads.enter_context(_InOrder(PIECES_AHEAD)) for _ in range(2))
            prover = threads.enter_context(_InOrder(SPANS_AHEAD))
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
                thread.finish()
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


class _InOrder:
    """A thread that does what it is told, in order, at most ``behind`` steps behind whoever tells it."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="copy")
        self._steps: deque[Future[None]] = deque()

    def do(self, step: Callable[..., None], *arguments: Any) -> None:
        """Do this next. Raises what an earlier step raised."""
        while len(self._steps) >= self._behind or (self._steps and self._steps[0].done()):
            self._steps.popleft().result()
        self._steps.append(self._thread.submit(step, *arguments))

    def finish(self) -> None:
        """Return when everything is done; raises what a step raised."""
        while self._steps:
            self._steps.popleft().result()

    def __enter__(self) -> "_InOrder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
