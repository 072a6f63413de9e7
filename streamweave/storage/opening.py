"""From a row of the catalog to a storage that can be written to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from streamweave.catalog.tables.storage import StorageLocation, StorageType
from streamweave.errors import InvalidInput, SealBroken, StorageRefused
from streamweave.sealing import Sealer
from streamweave.storage.base import Storage
from streamweave.storage.posix import PosixStorage
from streamweave.storage.roots import StorageRoots
from streamweave.storage.s3.connection import connection_of
from streamweave.storage.s3.storage import S3Storage


def open_storage(location: StorageLocation, secret: str = "", roots: StorageRoots | None = None) -> Storage:
    """The storage behind ``location``, not yet accessed; ``secret`` is what its type signs with, in clear.

    ``roots`` say where it may be written; None allows every place, for tests. Raises ``StorageRefused`` for an unknown
    type, a relative path or an invalid configuration.
    """
    match location.type:
        case StorageType.POSIX:
            return _open_posix(location, roots)
        case StorageType.S3:
            try:
                return S3Storage(connection_of(location.base_path, location.connection_config or {}, secret))
            except InvalidInput as error:
                raise StorageRefused(f"Storage location {location.name!r} can't be opened: {error}") from error
    raise StorageRefused(f"Storage location {location.name!r} has the unknown type {location.type!r}")


def storage_opener(sealer: Sealer, roots: StorageRoots | None = None) -> Callable[[StorageLocation], Storage]:
    """A function that opens storage locations, with their secrets unsealed. It raises ``StorageRefused``."""

    def opened(location: StorageLocation) -> Storage:
        sealed = location.sealed_secret_access_key
        try:
            return open_storage(location, "" if sealed is None else sealer.open(sealed), roots)
        except SealBroken as error:
            raise StorageRefused(f"Storage location {location.name!r}: {error}") from error

    return opened


def _open_posix(location: StorageLocation, roots: StorageRoots | None) -> Storage:
    base = Path(location.base_path)
    if not base.is_absolute():
        raise StorageRefused(f"Storage location {location.name!r} needs an absolute path, not {location.base_path!r}")
    return PosixStorage(base) if roots is None else PosixStorage(base, partial(roots.check_writing, str(base)))
