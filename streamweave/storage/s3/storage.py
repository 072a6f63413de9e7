"""A storage location that is a prefix of an S3 bucket.

Beside the published objects it holds, below ``.streamweave/``, the mark ``location`` and the staging area ``incoming``.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import lru_cache

from streamweave.errors import DestinationOccupied, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.enclosure import path_components
from streamweave.storage.s3.bucket import Bucket
from streamweave.storage.s3.composition import Composer
from streamweave.storage.s3.connection import S3Connection
from streamweave.storage.s3.keys import checked_key
from streamweave.storage.s3.parts import Part
from streamweave.storage.s3.patience import PATIENCE, Patience
from streamweave.storage.s3.publication import Publisher
from streamweave.storage.s3.side_by_side import side_by_side
from streamweave.storage.s3.staging import StagedFile, StagingArea

CONTROL = ".streamweave"
MARK_TEXT = b"This prefix is a storage location of StreamWeave. Do not remove this object.\n"
SPAN_BYTES = 8 << 20  # each is a request of its own: none outlasts a slow reader
ABANDONED_AFTER = timedelta(days=1)  # no composition takes nearly so long


@lru_cache(maxsize=32)
def _clients(connection: S3Connection, patience: Patience) -> tuple[Bucket, Composer]:
    """The same ones for everybody who goes there, so that they find the server's connections open."""
    return Bucket(connection, patience), Composer(connection, patience)


class S3Storage:
    """Versions below a prefix. ``streamweave.storage.base.Storage`` says what each method promises."""

    def __init__(self, connection: S3Connection, patience: Patience = PATIENCE) -> None:
        self._prefix = connection.prefix
        self._place = connection.place
        self._bucket, self._composer = _clients(connection, patience)
        self._publisher = Publisher(self._bucket, self._composer, self._prefix)
        self._mark = checked_key(self._prefix, f"{CONTROL}/location")
        self._staging = StagingArea(self._bucket, checked_key(self._prefix, f"{CONTROL}/incoming"))
        self._found_marked = False

    def prepare(self, *, holds_versions: bool) -> None:
        """Mark the prefix where that is allowed, and prove that the server keeps what must not be replaced."""
        if holds_versions:
            self._check_mark()
        with suppress(DestinationOccupied):
            self._bucket.create(self._mark, MARK_TEXT)
        self._publisher.prove_nothing_is_replaced(self._mark, MARK_TEXT)
        self._found_marked = True
        for left in self._composer.unfinished(self._prefix):
            if left.age >= ABANDONED_AFTER:
                self._composer.give_up(left.key, left.upload_id)

    def stage(self, staged_name: str) -> AbstractContextManager[StagedFile]:
        """Write a staged file from its beginning; after an error nothing stays of it."""
        self._staging.folder_of(staged_name)
        if not self._found_marked:
            self._check_mark()
        return self._staging.stage(staged_name)

    def stage_whole(self, contents: Mapping[str, bytes]) -> dict[str, StorageError]:
        """Write many small staged files, side by side."""
        try:
            if not self._found_marked:
                self._check_mark()
        except StorageError as error:
            return dict.fromkeys(contents, error)
        return self._staging.stage_whole(contents)

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read a staged file back from the server."""
        if length == 0:
            return
        before = 0
        for part in self._parts(staged_name):
            end = part.size_bytes if length is None else min(offset + length - before, part.size_bytes)
            yield from self._spans(part.key, max(offset - before, 0), end)
            before += part.size_bytes

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        """Read many small staged files back, side by side."""
        return side_by_side(self._staged_content, staged_names)

    def publish(self, staged_name: str, path: str) -> None:
        """Give a staged file its final name."""
        for error in self.publish_many({staged_name: path}).values():
            raise error

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        """Publish many staged files, side by side; of two for one path either may be the first."""
        failed: dict[str, StorageError] = {}
        published: list[Part] = []
        outcomes = side_by_side(self._publish, list(paths.items()))
        for staged_name, outcome in zip(paths, outcomes, strict=True):
            if isinstance(outcome, StorageError):
                failed[staged_name] = outcome
            else:
                published += outcome
        with suppress(StorageError):  # they have their names all the same; what is left of them is swept
            self._bucket.delete(part.key for part in published)
        return failed

    def make_durable(self, paths: Iterable[str]) -> None:
        """Nothing is left to do: S3 answers when an object is durable."""

    def read(
        self,
        path: str,
        offset: int = 0,
        length: int | None = None,
        *,
        uncached: bool = False,  # noqa: ARG002 - there is no cache
    ) -> Generator[bytes, None, None]:
        """Read a published file, or a span of it."""
        key = self._key(path)
        meta = self._bucket.find(key)
        if meta is None:
            raise StorageRefused(f"{self.address(path)}: it is not there")
        end = meta["size"] if length is None else min(offset + length, meta["size"])
        yield from self._spans(key, offset, end, meta["e_tag"])

    def exists(self, path: str) -> bool:
        """Whether anything stands under ``path``. A location that is not there at all raises."""
        key = self._key(path)
        if self._bucket.find(key) or self._bucket.has_below(key):
            return True
        self._check_mark()
        return False

    def paths(self) -> Iterator[str]:
        """Every published file. A location that is not there raises."""
        self._check_mark()
        start = len(self._prefix) + 1 if self._prefix else 0
        for meta in self._bucket.below(self._prefix):
            path = meta["path"][start:]
            if not path.startswith(f"{CONTROL}/"):
                yield path

    def staged_names(self) -> list[str]:
        """The staged files that stand at this moment."""
        self._check_mark()
        return self._staging.names()

    def discard(self, staged_name: str) -> None:
        """Remove a staged file; it is fine if there is none."""
        self._staging.discard(staged_name)

    def address(self, path: str) -> str:
        """``s3://bucket/prefix/path``."""
        return f"{self._place}/{path}"

    def _key(self, path: str) -> str:
        if path_components(path)[0] == CONTROL:
            raise StorageRefused(f"{path!r} is not a path for versions: {CONTROL} is StreamWeave's own")
        return checked_key(self._prefix, path)

    def _check_mark(self) -> None:
        if not self._bucket.find(self._mark):
            next(self._bucket.below(self._prefix), None)  # raises if it is the bucket that is missing
            raise StorageRefused(f"{self._place} is not the place it was: its mark {CONTROL}/location is missing")

    def _parts(self, staged_name: str) -> list[Part]:
        if parts := self._staging.parts(staged_name):
            return parts
        raise StorageRefused(f"{self._bucket.address(self._staging.folder_of(staged_name))}: it is not there")

    def _staged_content(self, staged_name: str) -> bytes:
        return b"".join(self.read_staged(staged_name))

    def _publish(self, move: tuple[str, str]) -> list[Part]:
        """Publish a staged file; returns its parts, which are not needed any more."""
        staged_name, path = move
        key = self._key(path)
        parts = self._staging.parts(staged_name)
        if not parts:
            raise StorageUnavailable(f"{self._bucket.address(self._staging.folder_of(staged_name))} is gone")
        self._publisher.publish(parts, key)
        self._staging.forget(staged_name)
        return parts

    def _spans(self, key: str, start: int, end: int, e_tag: str | None = None) -> Generator[bytes, None, None]:
        for offset in range(start, end, SPAN_BYTES):
            yield self._bucket.span(key, offset, min(offset + SPAN_BYTES, end), e_tag)
