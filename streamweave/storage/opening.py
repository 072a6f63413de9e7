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
    """The storage behind ``location``, untouched; ``secret`` is what its type signs with, opened.

    ``roots`` say where it may be written; without them the caller answers for the place, as tests do. An unknown type,
    a relative path or a configuration that is none raises ``StorageRefused``.
    """
    opener = OPENERS.get(location.type)
    if opener is None:
        raise StorageRefused(f"Storage location {location.name!r} has the unknown type {location.type!r}")
    return opener(location, secret, roots)


def storage_opener(sealer: Sealer, roots: StorageRoots | None = None) -> Callable[[StorageLocation], Storage]:
    """What opens storage locations, with the secrets that ``sealer`` can open. It raises ``StorageRefused``.

    None of them is written where ``roots`` forbid it.
    """

    def opened(location: StorageLocation) -> Storage:
        sealed = location.sealed_secret_access_key
        try:
            return open_storage(location, "" if sealed is None else sealer.open(sealed), roots)
        except SealBroken as error:
            raise StorageRefused(f"Storage location {location.name!r}: {error}") from error

    return opened


def _open_posix(location: StorageLocation, _secret: str, roots: StorageRoots | None) -> Storage:
    base = Path(location.base_path)
    if not base.is_absolute():
        raise StorageRefused(f"Storage location {location.name!r} needs an absolute path, not {location.base_path!r}")
    return PosixStorage(base) if roots is None else PosixStorage(base, partial(roots.check_writing, str(base)))


def _open_s3(location: StorageLocation, secret: str, _roots: StorageRoots | None) -> Storage:
    try:
        return S3Storage(connection_of(location.base_path, location.connection_config or {}, secret))
    except InvalidInput as error:
        raise StorageRefused(f"Storage location {location.name!r} can't be opened: {error}") from error


OPENERS: dict[str, Callable[[StorageLocation, str, StorageRoots | None], Storage]] = {
    StorageType.POSIX: _open_posix,
    StorageType.S3: _open_s3,
}
