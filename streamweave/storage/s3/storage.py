"""A storage location that is a prefix of an S3 bucket.

Beside the published objects it holds, below ``.streamweave/``, the mark ``location``; ``incoming``, where each catalog
has a staging area of its own; and ``journal``, the record of what was archived. Nothing can be appended to an object:
each append to a journal makes one of its own, named by where it begins.
"""

import uuid
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from streamweave.errors import DestinationOccupied, NotAFile, StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.base import (
    HEAD,
    JOURNALS,
    NO_MTIMES,
    NOT_LEGIBLE,
    CopyStat,
    Reached,
    checked_name,
    head_content,
    is_name,
    parse_head,
)
from streamweave.storage.file_io import nanoseconds
from streamweave.storage.marks import FoundMark, Mark, NoMark, parse_mark, refusal
from streamweave.storage.s3.bucket import KEYS_AT_ONCE, Bucket, side_by_side
from streamweave.storage.s3.connection import PATIENCE, Patience, S3Connection, checked_key
from streamweave.storage.s3.publication import Composer, Publisher
from streamweave.storage.s3.staging import StagedFile, StagedPart, StagingArea
from streamweave.storage.safe_path import CONTROL, version_components

if TYPE_CHECKING:
    from obstore import ObjectMeta

FILE_AND_PART = 2  # components of a part's key below the staging area
SPAN_BYTES = 8 << 20  # each is a request of its own: none outlasts a slow reader
ABANDONED_AFTER = timedelta(days=1)  # no composition takes nearly so long
WORTH_A_LISTING = 8
"""From so many keys of one folder on it is listed: a page of a listing answers up to 1,000 of them."""
OFFSET_DIGITS = 16

Stat = CopyStat | StorageError | None


class S3Storage:
    """Versions below a prefix. ``streamweave.storage.base.Storage`` says what each method promises."""

    def __init__(self, connection: S3Connection, patience: Patience = PATIENCE) -> None:
        self._prefix = connection.prefix
        self._place = connection.place
        self._bucket, self._composer = _clients(connection, patience)
        self._publisher = Publisher(self._bucket, self._composer, self._prefix)
        self._mark = checked_key(self._prefix, f"{CONTROL}/location")
        self._incoming = checked_key(self._prefix, f"{CONTROL}/incoming")
        self._own_staging: StagingArea | None = None

    def prepare(self, mark: Mark, *, is_new: bool = False) -> None:
        """Proves that the server never replaces an object against the condition, and drops abandoned compositions."""
        if is_new and self.found_mark() is NoMark.MISSING:
            with suppress(DestinationOccupied):  # another process was faster: its mark is compared next
                self._bucket.create(self._mark, mark.content())
        self.check_mark(mark)
        self._publisher.prove_nothing_is_replaced(self._mark, mark.content())
        for left in self._composer.unfinished(self._prefix):
            if left.age >= ABANDONED_AFTER:
                self._composer.give_up(left.key, left.upload_id)

    def check_mark(self, mark: Mark) -> None:
        if why := refusal(self._place, self.found_mark(), mark):
            raise StorageRefused(why)
        self._own_staging = StagingArea(self._bucket, f"{self._incoming}/{mark.catalog_id}")

    def found_mark(self) -> FoundMark:
        content = self._bucket.content(self._mark)
        if content is None:
            self._check_bucket()
        return parse_mark(content)

    def put_mark(self, mark: Mark) -> None:
        self._bucket.put(self._mark, mark.content())

    @property
    def _staging(self) -> StagingArea:
        if self._own_staging is None:
            raise StorageRefused(f"{self._place}: nothing may be staged before its mark was compared")
        return self._own_staging

    def stage(
        self,
        staged_name: str,
        mtime: datetime | None = None,  # noqa: ARG002 - S3 itself says when an object was put
    ) -> AbstractContextManager[StagedFile]:
        self._staging.folder_of(staged_name)
        return self._staging.stage(staged_name)

    def stage_whole(
        self,
        contents: Mapping[str, bytes],
        mtimes: Mapping[str, datetime] = NO_MTIMES,  # noqa: ARG002 - S3 itself says when an object was put
    ) -> dict[str, StorageError]:
        try:
            return self._staging.stage_whole(contents)
        except StorageError as error:
            return dict.fromkeys(contents, error)

    def read_staged(self, staged_name: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return
        parts = self._staging.parts(staged_name)
        if not parts:
            raise StorageRefused(f"{self._bucket.address(self._staging.folder_of(staged_name))}: it is not there")
        before = 0
        for part in parts:
            end = part.size_bytes if length is None else min(offset + length - before, part.size_bytes)
            yield from self._spans(part.key, max(offset - before, 0), end)
            before += part.size_bytes

    def read_staged_whole(self, staged_names: Sequence[str]) -> Iterator[bytes | StorageError]:
        return side_by_side(lambda staged_name: b"".join(self.read_staged(staged_name)), staged_names)

    def publish_many(self, paths: Mapping[str, str]) -> dict[str, StorageError]:
        failed: dict[str, StorageError] = {}
        published: list[StagedPart] = []
        outcomes = side_by_side(self._publish, list(paths.items()))
        for staged_name, outcome in zip(paths, outcomes, strict=True):
            if isinstance(outcome, StorageError):
                failed[staged_name] = outcome
            else:
                published += outcome
        with suppress(StorageError):  # they have their names all the same; what is left of them is swept
            self._bucket.delete(part.key for part in published)
        return failed

    def _publish(self, move: tuple[str, str]) -> list[StagedPart]:
        """Publish a staged file; returns its parts, which are not needed any more."""
        staged_name, path = move
        key = self._key(path)
        parts = self._staging.parts(staged_name)
        if not parts:
            raise StorageUnavailable(f"{self._bucket.address(self._staging.folder_of(staged_name))} is gone")
        self._publisher.publish(parts, key)
        self._staging.forget(staged_name)
        return parts

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
        key = self._key(path)
        meta = self._bucket.find(key)
        if meta is None:
            raise StorageRefused(f"{self.address(path)}: it is not there")
        end = meta["size"] if length is None else min(offset + length, meta["size"])
        yield from self._spans(key, offset, end, meta["e_tag"])

    def exists(self, path: str) -> bool:
        key = self._key(path)
        if self._bucket.find(key) or self._bucket.has_below(key):
            return True
        self._check_any_mark()
        return False

    def stat_many(self, paths: Sequence[str]) -> list[Stat]:
        self._check_any_mark()
        found: dict[str, Stat] = {}
        keys: dict[str, str] = {}
        for path in paths:
            try:
                keys[path] = self._key(path)
            except StorageRefused as error:
                found[path] = error
        stats = _object_stats(self._bucket, keys.values())
        found |= {path: stats[key] for path, key in keys.items()}
        return [found[path] for path in paths]

    def paths(self) -> Iterator[str]:
        self._check_any_mark()
        start = len(self._prefix) + 1 if self._prefix else 0
        for meta in self._bucket.below(self._prefix):
            path = meta["path"][start:]
            if not path.startswith(f"{CONTROL}/"):
                yield path

    def staged_names(self) -> list[str]:
        self._check_any_mark()
        return self._staging.names()

    def early_staged_names(self) -> list[str]:
        """The files directly below ``incoming``."""
        start = len(self._incoming) + 1
        names = (meta["path"][start:].split("/") for meta in self._bucket.below(self._incoming))
        return list({name[0]: None for name in names if len(name) == FILE_AND_PART})

    def discard_early(self, staged_name: str) -> None:
        StagingArea(self._bucket, self._incoming).discard(staged_name)

    def discard(self, staged_name: str) -> None:
        self._staging.discard(staged_name)

    def journal(self, catalog_id: uuid.UUID) -> "BucketJournal":
        """Objects below ``.streamweave/journal/<catalog_id>``."""
        return BucketJournal(self._bucket, checked_key(self._prefix, f"{CONTROL}/{JOURNALS}/{catalog_id}"))

    def address(self, path: str) -> str:
        """``s3://bucket/prefix/path``."""
        return f"{self._place}/{path}"

    def _key(self, path: str) -> str:
        version_components(path)
        return checked_key(self._prefix, path)

    def _check_bucket(self) -> None:
        next(self._bucket.below(self._prefix), None)  # raises if there is no such bucket

    def _check_any_mark(self) -> None:
        """Raises ``StorageRefused`` when the location is not there at all."""
        if not self._bucket.find(self._mark):
            self._check_bucket()
            raise StorageRefused(f"{self._place} is not the place it was: no mark ({CONTROL}/location)")

    def _spans(self, key: str, start: int, end: int, e_tag: str | None = None) -> Generator[bytes, None, None]:
        for offset in range(start, end, SPAN_BYTES):
            yield self._bucket.span(key, offset, min(offset + SPAN_BYTES, end), e_tag)


@lru_cache(maxsize=32)
def _clients(connection: S3Connection, patience: Patience) -> tuple[Bucket, Composer]:
    """The same ones for all storages of a connection, so that they find the server's connections open."""
    return Bucket(connection, patience), Composer(connection, patience)


def _object_stats(bucket: Bucket, keys: Iterable[str]) -> dict[str, Stat]:
    """What exists under each of these keys, as ``Storage.stat_many`` says it: many of a folder by a listing."""
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for key in dict.fromkeys(keys):
        folders[key.rpartition("/")[0]].append(key)
    listed = [folder for folder, asked in folders.items() if len(asked) >= WORTH_A_LISTING]
    found: dict[str, Stat] = {}
    outcomes = side_by_side(lambda folder: _listed(bucket, folder, folders[folder]), listed)
    for folder, outcome in zip(listed, outcomes, strict=True):
        found |= dict.fromkeys(folders[folder], outcome) if isinstance(outcome, StorageError) else outcome
    single = [key for asked in folders.values() for key in asked if key not in found]
    return found | dict(zip(single, side_by_side(partial(_asked, bucket), single), strict=True))


def _listed(bucket: Bucket, folder: str, keys: Sequence[str]) -> dict[str, Stat]:
    """The answers that a listing of a folder gives; what it doesn't hold is left to be asked for.

    It begins just before the first key and ends at the last one. Keys of folders below may lie in between: where they
    are far too many, the listing is given up.
    """
    asked, last = set(keys), max(keys, key=str.encode).encode()
    first = min(keys, key=str.encode)[:-1]
    found: dict[str, Stat] = {}
    for number, meta in enumerate(bucket.below(folder, after=first)):
        if meta["path"] in asked:
            found[meta["path"]] = _stat(meta)
        too_many = number >= KEYS_AT_ONCE + len(keys) * KEYS_AT_ONCE // WORTH_A_LISTING
        if meta["path"].encode() >= last or too_many:
            break
    return found


def _asked(bucket: Bucket, key: str) -> Stat:
    if meta := bucket.find(key):
        return _stat(meta)
    return NotAFile(f"{bucket.address(key)} is a folder") if bucket.has_below(key) else None


def _stat(meta: "ObjectMeta") -> CopyStat:
    return CopyStat(meta["size"], nanoseconds(meta["last_modified"]))


class BucketJournal:
    """The journals below the key ``folder``. ``streamweave.storage.base.Journal`` says what each method promises."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder

    def append(self, name: str, offset: int, lines: bytes) -> None:
        """One object for the lines, and one for the head."""
        self._bucket.put(f"{self._folder}/{checked_name(name)}/{offset:0{OFFSET_DIGITS}}", lines)
        self._bucket.put(f"{self._folder}/{HEAD}", head_content(Reached(name, offset + len(lines))))

    def head(self) -> Reached | None:
        content = self._bucket.content(f"{self._folder}/{HEAD}")
        if content is not None:
            return parse_head(content)
        return None if next(self._parts("", ""), None) is None else NOT_LEGIBLE

    def sizes(self, since: str = "") -> dict[str, int]:
        """Where the last object of each journal ends."""
        sizes: dict[str, int] = {}
        for name, offset, size in self._parts("", since):
            sizes[name] = max(sizes.get(name, 0), offset + size)
        return dict(sorted(sizes.items()))

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        """Object by object. One that an earlier one reaches beyond was left by a call that failed, and is skipped.

        So is one that begins behind ``offset`` only in part: nothing reads from the middle of an object.
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
