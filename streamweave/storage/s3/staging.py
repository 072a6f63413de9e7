"""Staged files in a bucket: each a folder of parts, every part an object of its own.

They are ordinary objects rather than a multipart upload: so they can be read back before anything is published, are
listed and swept like any file, and are composed by the server when the file gets its final name. A part's name is its
number, the SHA-256 of its bytes, and for the last one a word that says so: the publisher knows what the server has to
find there, and that nothing is missing.
"""

import hashlib
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from streamweave.errors import StorageError, StorageRefused
from streamweave.storage.s3.bucket import Bucket, side_by_side
from streamweave.storage.s3.connection import checked_key
from streamweave.storage.safe_path import checked_staged_name

SMALLEST_PART_BYTES = 8 << 20
PARTS_OF_ONE_SIZE = 1000
DOUBLINGS = 2
MOST_PARTS = 320_000
LAST = "-last"
PUTS_AT_ONCE = 2
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Ingredient:
    """An object to copy, and the SHA-256 of its bytes in base64 where that is known."""

    key: str
    sha256: str | None = None


def part_bytes(number: int) -> int:
    """The size of part ``number``, counted from 1: 8 MiB, from 8 GiB on 16, from 24 GiB on 32 MiB and no more."""
    return SMALLEST_PART_BYTES << min((number - 1) // PARTS_OF_ONE_SIZE, DOUBLINGS)


@dataclass(frozen=True, slots=True, order=True)
class StagedPart:
    """A part of a staged file; ``sha256`` in hexadecimal digits."""

    number: int
    sha256: str
    is_last: bool
    key: str
    size_bytes: int

    def as_ingredient(self) -> Ingredient:
        """The part as the server is asked to copy it."""
        return Ingredient(self.key, b64encode(bytes.fromhex(self.sha256)).decode())


def new_part(folder: str, number: int, content: bytes, *, is_last: bool) -> StagedPart:
    """The part that ``content`` is to be, below the key ``folder``."""
    sha256 = hashlib.sha256(content).hexdigest()
    return StagedPart(number, sha256, is_last, f"{folder}/{number:06}-{sha256}{LAST if is_last else ''}", len(content))


def part_of(key: str, size_bytes: int) -> StagedPart:
    """The part that a key names. Raises ``StorageRefused``."""
    number, _, sha256 = key.rpartition("/")[2].partition("-")
    try:
        return StagedPart(int(number), sha256.removesuffix(LAST), sha256.endswith(LAST), key, size_bytes)
    except ValueError as error:
        raise StorageRefused(f"{key} is no part of a staged file: who has put it there?") from error


def are_complete(parts: Sequence[StagedPart]) -> bool:
    """Whether these, sorted, are all parts of one file."""
    found = [(part.number, part.is_last) for part in parts]
    return found == [(number, number == len(parts)) for number in range(1, len(parts) + 1)]


class StagedFile:
    """A staged file that is being written. At most four parts are in memory: two being put, one waiting, one filled."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder
        self._rest = bytearray()
        self._parts = 0
        self._threads: ThreadPoolExecutor | None = None
        self._puts: deque[Future[StagedPart]] = deque()

    def write(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) > (size := part_bytes(self._parts + 1)):  # something is always left to be the last part
            self._put_aside(bytes(memoryview(self._rest)[:size]))
            del self._rest[:size]

    def settle(self) -> int:
        """Nothing can be read back before the file is complete."""
        return 0

    def finish(self) -> StagedPart:
        """Return when everything is stored, with the last part. An empty file is one empty part."""
        while self._puts:
            self._puts.popleft().result()
        return self._put(self._parts + 1, bytes(self._rest), is_last=True)

    def stop(self) -> None:
        """Wait for all parts that are being put."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def _put_aside(self, content: bytes) -> None:
        if self._parts + 1 == MOST_PARTS:
            raise StorageRefused(f"{self._bucket.address(self._folder)}: the file is too large for S3")
        self._parts += 1
        self._threads = self._threads or ThreadPoolExecutor(PUTS_AT_ONCE)
        if len(self._puts) == PUTS_AT_ONCE:
            self._puts.popleft().result()
        self._puts.append(self._threads.submit(self._put, self._parts, content, is_last=False))

    def _put(self, number: int, content: bytes, *, is_last: bool) -> StagedPart:
        part = new_part(self._folder, number, content, is_last=is_last)
        self._bucket.put(part.key, content)
        return part


class StagingArea:
    """The staged files below the key ``folder``. Every method raises ``StorageError``.

    Files of a single part are remembered, so that nothing need be listed to find them again; the oldest are forgotten.
    """

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder
        self._remembered: OrderedDict[str, StagedPart] = OrderedDict()

    @contextmanager
    def stage(self, staged_name: str) -> Iterator[StagedFile]:
        """A new file; after an error nothing is left of it."""
        self.discard(staged_name)
        staged = StagedFile(self._bucket, self.folder_of(staged_name))
        try:
            yield staged
            self._remember(staged_name, staged.finish())
        except BaseException:
            staged.stop()
            with suppress(StorageError):
                self.discard(staged_name)
            raise
        finally:
            staged.stop()

    def stage_whole(self, contents: Mapping[str, bytes]) -> dict[str, StorageError]:
        """New files of one part each. What already exists under a staged name is left to be swept."""
        outcomes = zip(contents, side_by_side(self._stage_whole, list(contents.items())), strict=True)
        return {staged_name: error for staged_name, error in outcomes if error is not None}

    def _stage_whole(self, file: tuple[str, bytes]) -> None:
        staged_name, content = file
        part = new_part(self.folder_of(staged_name), 1, content, is_last=True)
        try:
            self._bucket.put(part.key, content)
        except StorageError:
            with suppress(StorageError):  # the server may have stored it all the same
                self._bucket.delete([part.key])
            raise
        self._remember(staged_name, part)

    def parts(self, staged_name: str) -> list[StagedPart]:
        """The parts of a staged file in their order; none if there is no such file, or if it is not all there."""
        folder = self.folder_of(staged_name)
        if part := self._remembered.get(staged_name):
            return [part]
        parts = sorted(part_of(meta["path"], meta["size"]) for meta in self._bucket.below(folder))
        return parts if are_complete(parts) else []

    def names(self) -> list[str]:
        start = len(self._folder) + 1
        return list({meta["path"][start:].partition("/")[0]: None for meta in self._bucket.below(self._folder)})

    def forget(self, staged_name: str) -> None:
        """Ask the server for the parts of this file from now on."""
        self._remembered.pop(staged_name, None)

    def discard(self, staged_name: str) -> None:
        self.forget(staged_name)
        self._bucket.delete(meta["path"] for meta in self._bucket.below(self.folder_of(staged_name)))

    def folder_of(self, staged_name: str) -> str:
        """The key of a staged file's folder. Raises ``StorageRefused`` for what is not a single name."""
        return checked_key(self._folder, checked_staged_name(staged_name))

    def _remember(self, staged_name: str, part: StagedPart) -> None:
        if part.number == 1:
            self._remembered[staged_name] = part
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
