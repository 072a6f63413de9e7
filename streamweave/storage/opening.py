"""From a row of the catalog to a storage that can be written to."""

from collections.abc import Callable
from pathlib import Path

from streamweave.catalog.tables.storage_locations import StorageLocation, StorageType
from streamweave.errors import StorageRefused
from streamweave.storage.base import Storage
from streamweave.storage.posix import PosixStorage


def open_storage(location: StorageLocation) -> Storage:
    """The storage behind ``location``, untouched. An unknown type or a relative path raises ``StorageRefused``."""
    opener = OPENERS.get(location.type)
    if opener is None:
        raise StorageRefused(f"Storage location {location.name!r} has the unknown type {location.type!r}")
    return opener(location)


def _open_posix(location: StorageLocation) -> Storage:
    base = Path(location.base_path)
    if not base.is_absolute():
        raise StorageRefused(f"Storage location {location.name!r} needs an absolute path, not {location.base_path!r}")
    return PosixStorage(base)


OPENERS: dict[str, Callable[[StorageLocation], Storage]] = {StorageType.POSIX: _open_posix}
