"""Publication: staged files get their final keys, each all at once, and never over an existing object.

A small file is read once more, compared with the SHA-256 that its part is named by, and put under its final key by one
conditional request. The parts of a larger one are composed by the server: no byte of it travels again. S3 does not know
that a path leads to a file or to a folder, never to both; that is checked before, so that the archive can be copied
into folders.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from streamweave.errors import (
    CopyNotProven,
    DestinationOccupied,
    PathUnusable,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.storage.s3.bucket import Bucket
from streamweave.storage.s3.composition import Composer, Ingredient
from streamweave.storage.s3.staging import StagedPart

SMALL_BYTES = 1 << 20  # as much as is sent in the time that the requests of a composition take
INGREDIENTS = 10_000  # the limit of S3
GROUP = 32  # parts: 1 GiB at most


class Publisher:
    """Publishes below the prefix of a location. Every method raises ``StorageError``."""

    def __init__(self, bucket: Bucket, composer: Composer, prefix: str) -> None:
        self._bucket = bucket
        self._composer = composer
        self._outer_folders = len(prefix.split("/")) if prefix else 0
        self._folders: set[str] = set()

    def publish(self, parts: Sequence[StagedPart], key: str) -> None:
        """Give the file of these parts its final key. Raises ``DestinationOccupied`` when it is taken."""
        self._check_tree(key)
        if len(parts) == 1 and parts[0].size_bytes <= SMALL_BYTES:
            self._bucket.create(key, self._content(parts[0]))
        else:
            with self._ingredients(parts) as ingredients:
                self._composer.compose(key, ingredients)

    def prove_nothing_is_replaced(self, mark: str, content: bytes) -> None:
        """Both ways to publish must be refused under the key of the object ``mark``. Raises ``StorageRefused``."""
        ways = (partial(self._bucket.create, mark, content), partial(self._composer.compose, mark, [Ingredient(mark)]))
        for publish in ways:
            try:
                publish()
            except DestinationOccupied:
                continue
            raise StorageRefused(
                f"{self._bucket.address(mark)}: the server replaces objects although it is told not to "
                "(If-None-Match: *), so nothing would be safe there"
            )

    def _check_tree(self, key: str) -> None:
        """No file may have the key of one of the path's folders, nor a folder that of the file."""
        if self._bucket.has_below(key):
            raise DestinationOccupied(f"{self._bucket.address(key)} exists already")
        parts = key.split("/")
        for depth in range(self._outer_folders + 1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in self._folders:
                if self._bucket.find(folder):
                    sentence = f"{self._bucket.address(key)}: part of the path is a file, not a folder"
                    raise PathUnusable(sentence, depth - 1 - self._outer_folders)
                self._folders.add(folder)

    def _content(self, part: StagedPart) -> bytes:
        content = self._bucket.content(part.key)
        if content is None:
            raise StorageUnavailable(f"{self._bucket.address(part.key)} is gone")
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise CopyNotProven(f"{self._bucket.address(part.key)} holds other bytes than were staged")
        return content

    @contextmanager
    def _ingredients(self, parts: Sequence[StagedPart]) -> Iterator[list[Ingredient]]:
        """What the file is composed of: its parts, or where these are too many for S3, groups of them."""
        ingredients = [part.as_ingredient() for part in parts]
        if len(parts) <= INGREDIENTS:
            yield ingredients
            return
        folder = parts[0].key.rpartition("/")[0]
        starts = range(0, len(parts), GROUP)
        groups = [Ingredient(f"{folder}/{number:06}-group") for number, _ in enumerate(starts, 1)]
        try:
            for group, start in zip(groups, starts, strict=True):
                self._composer.compose(group.key, ingredients[start : start + GROUP])
            yield groups
        finally:
            with suppress(StorageError):
                self._bucket.delete(group.key for group in groups)
