"""Whether a storage location takes bytes and gives them back now."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from streamweave.errors import CopyNotProven, StorageError
from streamweave.storage.base import Storage

PROBE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class StorageAnswer:
    """So many bytes were written, read back and found the same."""

    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StorageRefusal:
    """The storage can't be used: the kind of error, and a sentence."""

    error_kind: str
    detail: str


def try_storage(open_storage: Callable[[], Storage]) -> StorageAnswer | StorageRefusal:
    """Write a probe as a transfer would stage it, read it back, compare, and remove it. Nothing is left behind.

    ``open_storage`` compares the location's mark; a ``StorageError`` that it raises is an answer too.
    """
    began = time.monotonic()
    content = secrets.token_bytes(PROBE_BYTES)
    try:
        _write_and_compare(open_storage(), f"probe-{secrets.token_hex(8)}", content)
    except StorageError as error:
        return StorageRefusal(error.kind(), str(error))
    return StorageAnswer(len(content), round(time.monotonic() - began, 3))


def _write_and_compare(storage: Storage, probe: str, content: bytes) -> None:
    try:
        with storage.stage(probe) as staged:
            staged.write(content)
        if b"".join(map(bytes, storage.read_staged(probe))) != content:
            raise CopyNotProven("the bytes read back differ from the bytes that were written")
    except StorageError:
        with suppress(StorageError):
            storage.discard(probe)
        raise
    storage.discard(probe)
