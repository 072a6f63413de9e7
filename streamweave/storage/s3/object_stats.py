"""Sizes and times of many objects: where many keys of a folder are asked for, a page of a listing answers up to 1,000.

Single keys are asked for by a request each. Everything goes side by side, a bounded number of requests at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from streamweave.errors import NotAFile, StorageError
from streamweave.storage.base import CopyStat
from streamweave.storage.copy_times import nanoseconds
from streamweave.storage.s3.bucket import KEYS_AT_ONCE, Bucket
from streamweave.storage.s3.side_by_side import side_by_side

if TYPE_CHECKING:  # the library has these names for type checkers only
    from obstore import ObjectMeta

WORTH_A_LISTING = 8
"""From so many keys of one folder on it is listed."""

Stat = CopyStat | StorageError | None


def object_stats(bucket: Bucket, keys: Iterable[str]) -> dict[str, Stat]:
    """What exists under each of these keys, as ``Storage.stat_many`` says it."""
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
