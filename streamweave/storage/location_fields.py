"""The place of a storage location: what its fields must be for its type, its secret, and whether two lie apart."""

import os
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from streamweave.catalog.tables.storage import StorageLocation, StorageType
from streamweave.errors import InvalidInput, StorageError
from streamweave.sealing import Sealer
from streamweave.storage.marking import mark_new_place, recognise_place
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave.storage.s3.connection import SCHEME, SECRET, checked_config, s3_base_path
from streamweave.validation import CONTROL, LONGEST_TEXT, schema_of, shaped, sound, text

PLACE = frozenset({"type", "base_path", "connection_config"})


@shaped(
    type="string",
    minLength=2,
    maxLength=LONGEST_TEXT,
    pattern=sound(CONTROL, besides=r"(?!/[/.]*$)(?!.*/\.\.(?:/|$))(?=/)"),
)
def _posix_base_path(field: str, value: Any) -> str:
    path: str = text()(field, value)
    if not path.startswith("/"):
        raise InvalidInput(field, "must be an absolute path, or s3://bucket/prefix for a bucket")
    if ".." in path.split("/"):
        raise InvalidInput(field, "must not hold '..'")
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if normal == "/":
        raise InvalidInput(field, "must be a folder of its own")
    return normal


@shaped(anyOf=[schema_of(_posix_base_path), schema_of(s3_base_path)])
def base_path(field: str, value: Any) -> str:
    """An absolute path, or ``s3://bucket/prefix``."""
    rule = s3_base_path if isinstance(value, str) and value.startswith(SCHEME) else _posix_base_path
    return str(rule(field, value))


def settle(location: StorageLocation, sealer: Sealer, known: StorageLocation | None = None) -> None:
    """Bring the fields of a place into the form in which they are kept, the secret sealed.

    Where none is given, that of ``known`` goes on to be used, for the same key at the same server: a secret is never
    sent to where it was not meant for. Raises ``InvalidInput``.
    """
    place = _CHECKS[location.type](location.base_path, location.connection_config)
    location.base_path, location.connection_config, secret = place
    if location.type == StorageType.POSIX:
        location.sealed_secret_access_key = None
    elif secret is not None:
        location.sealed_secret_access_key = sealer.seal(secret)
    elif known is not None and _same_key(location, known):
        location.sealed_secret_access_key = known.sealed_secret_access_key
    else:
        raise InvalidInput(f"connection_config.{SECRET}", "is required")


def check_root(location: StorageLocation, roots: StorageRoots | None) -> None:
    """Raises ``InvalidInput`` unless the host allows a storage location there; None asks nothing."""
    if roots is not None and location.type == StorageType.POSIX:
        roots.check_new(location.base_path)


def mark_place(
    session: Session,
    location: StorageLocation,
    sealer: Sealer,
    roots: StorageRoots | None = None,
    *,
    adopt: bool = False,
) -> None:
    """Mark the place of a location that is entered or moved, and make it ready.

    Raises ``InvalidInput`` when it can't be written to, or is somebody else's; ``adopt`` takes it over from them.
    """
    try:
        mark_new_place(session, storage_opener(sealer, roots)(location), location, adopt=adopt)
    except StorageError as error:
        raise InvalidInput("base_path", str(error)) from error


def check_place(session: Session, location: StorageLocation, sealer: Sealer, roots: StorageRoots | None = None) -> None:
    """Make sure that the place is still found, and writable, as ``location`` now says how to reach it.

    Raises ``InvalidInput``.
    """
    try:
        storage = storage_opener(sealer, roots)(location)
        storage.prepare(recognise_place(session, storage, location.id, storage.found_mark()))
    except StorageError as error:
        raise InvalidInput("base_path", str(error)) from error


def lie_apart(one: StorageLocation, other: StorageLocation) -> bool:
    """Whether neither place holds the other.

    Of S3 only bucket and prefix count: a server may have many addresses.
    """
    if one.type != other.type:
        return True
    if one.type == StorageType.POSIX:
        first, second = os.path.realpath(one.base_path), os.path.realpath(other.base_path)
    else:
        first, second = one.base_path, other.base_path
    return not (f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/"))


def _same_key(one: StorageLocation, other: StorageLocation) -> bool:
    return all(
        one.connection_config.get(field) == other.connection_config.get(field)
        for field in ("access_key_id", "endpoint_url")
    )


def _posix_place(base_path: Any, config: Mapping[str, Any]) -> tuple[str, dict[str, Any], str | None]:
    if config:
        raise InvalidInput("connection_config", "must be empty for a posix location")
    return _posix_base_path("base_path", base_path), {}, None


def _s3_place(base_path: Any, config: Mapping[str, Any]) -> tuple[str, dict[str, Any], str | None]:
    fields = checked_config(config)
    secret = fields.pop(SECRET, None)
    return s3_base_path("base_path", base_path), fields, secret


_CHECKS: dict[str, Callable[[Any, Mapping[str, Any]], tuple[str, dict[str, Any], str | None]]] = {
    StorageType.POSIX: _posix_place,
    StorageType.S3: _s3_place,
}
