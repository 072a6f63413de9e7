"""Workers: copy claimed versions side by side, each over a connection of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from streamweave.errors import (
    ContentDiffers,
    CredentialsRefused,
    FileReadFailed,
    SourceUnreachable,
    StreamWeaveError,
)
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest, copy_proven
from streamweave.sources.base import Source
from streamweave.storage.base import Storage


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


class Workers:
    """A fixed number of threads with as many connections, opened as they are needed."""

    def __init__(self, connections: int, open_source: Callable[[], Source]) -> None:
        self._open_source = open_source
        self._idle: SimpleQueue[Source] = SimpleQueue()
        self._opened: list[Source] = []
        self._refused: CredentialsRefused | None = None
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="copy")

    def start(self, claim: Claim, storage: Storage) -> "Future[Copied | NotCopied]":
        """Copy a claim as soon as a thread is free. The future raises nothing of its own."""
        return self._threads.submit(self._copy, claim, storage)

    def close(self) -> None:
        """Wait for the copies under way, drop those not begun, and close the connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for source in self._opened:
            source.close()

    def _copy(self, claim: Claim, storage: Storage) -> Copied | NotCopied:
        try:
            self._fail_if_refused()
            with self._connection() as source:
                digest = _copy_again_if_disconnected(source, storage, claim)
            _expect_the_content_archived_elsewhere(storage, claim, digest)
            return Copied(claim, digest)
        except StreamWeaveError as error:
            if isinstance(error, CredentialsRefused):
                self._refused = error
            return NotCopied(claim, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this file, and must not stop the others
            unexpected = FileReadFailed(f"{claim.source_path}: unexpected {type(error).__name__}: {error}")
            return NotCopied(claim, unexpected)

    def _fail_if_refused(self) -> None:
        """Asking again and again would lock the account."""
        if self._refused is not None:
            raise self._refused

    @contextmanager
    def _connection(self) -> Iterator[Source]:
        try:
            source = self._idle.get_nowait()
        except Empty:
            source = self._open_source()
            self._opened.append(source)
        try:
            yield source
        finally:
            self._idle.put(source)


def _expect_the_content_archived_elsewhere(storage: Storage, claim: Claim, digest: Digest) -> None:
    if claim.sha256 not in (None, digest.sha256):
        storage.discard(claim.staged_name)
        raise ContentDiffers(
            f"{claim.source_path}: its content is no longer that of the version archived elsewhere, "
            "though size and mtime are the same"
        )


def _copy_again_if_disconnected(source: Source, storage: Storage, claim: Claim) -> Digest:
    """A connection may be lost between two files, or within one: one fresh attempt tells that from a dead share."""
    try:
        return copy_proven(source, storage, claim)
    except SourceUnreachable:
        return copy_proven(source, storage, claim)
