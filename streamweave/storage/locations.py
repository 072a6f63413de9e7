"""Storage locations: how they are entered, changed, removed and tested. The caller commits.

Once a location holds versions, or a schedule names it, its place is fixed: what is archived stays where it is. A secret
is sealed when it is entered, and never shown. ``roots`` say where a posix location may be entered, moved to or restored
(``streamweave.storage.roots``): every entry point for users passes them; None allows any folder.
"""

import os
import posixpath
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import listing, mark_deleted, mark_restored, present, to_delete, to_restore
from streamweave.catalog.session import change
from streamweave.catalog.tables import Hook, Schedule, StorageLocation, StorageType, Transfer
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import Conflict, CopyNotProven, InvalidInput, StorageError
from streamweave.sealing import Sealer
from streamweave.storage.base import Storage
from streamweave.storage.marking import adopt_place, mark_new_place, recognise_place
from streamweave.storage.marks import FoundMark
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave.storage.s3.connection import SCHEME, SECRET, checked_config, s3_base_path
from streamweave.validation import (
    CONTROL,
    LONGEST_TEXT,
    Rule,
    checked,
    flag,
    name,
    one_word_of,
    require,
    schema_of,
    shaped,
    sound,
    text,
)

PLACE = frozenset({"type", "base_path", "connection_config"})
PROBE_BYTES = 64 * 1024


def _mapping(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(field, "must be an object")
    return value


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


FIELDS: dict[str, Rule] = {
    "name": name,
    "type": one_word_of(*StorageType),
    "connection_config": _mapping,
    "base_path": base_path,
    "enabled": flag,
}
AT_CREATION: dict[str, Rule] = {**FIELDS, "adopt": flag}


def storage_location_by_id(session: Session, location_id: uuid.UUID) -> StorageLocation:
    """Raises ``NotFound``."""
    return present(session, StorageLocation, location_id, "Storage location")


def storage_location_by_name(session: Session, location_name: str) -> StorageLocation | None:
    return session.scalar(listing(StorageLocation).where(StorageLocation.name == location_name))


def create_storage_location(
    session: Session, sealer: Sealer, values: Mapping[str, Any], roots: StorageRoots | None = None
) -> StorageLocation:
    """A new storage location: ``name`` and ``base_path``, and if wished ``type``, ``connection_config``, ``enabled``.

    Its place is marked and made ready, and must be writable. One that is marked already is refused, unless ``adopt`` is
    true: then its mark is replaced. Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(AT_CREATION, values)
    require(fields, "name", "base_path")
    adopt = fields.pop("adopt", False)
    _check_name_is_free(session, fields["name"])
    location = StorageLocation(id=uuid7(), **{"type": StorageType.POSIX, "connection_config": {}, **fields})
    normalise(location, sealer)
    check_root(location, roots)
    _check_place_is_free(session, location)
    mark_place(session, location, sealer, roots, adopt=adopt)
    session.add(location)
    session.flush()
    return location


def update_storage_location(
    session: Session,
    sealer: Sealer,
    location_id: uuid.UUID,
    changes: Mapping[str, Any],
    roots: StorageRoots | None = None,
) -> StorageLocation:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``.

    A ``connection_config`` replaces the whole one; without a secret, the key pair that is known stays.
    """
    location = storage_location_by_id(session, location_id)
    fields = {field: value for field, value in checked(FIELDS, changes).items() if getattr(location, field) != value}
    if "name" in fields:
        _check_name_is_free(session, fields["name"])
        _check_no_hook_names(session, location)
    if PLACE & fields.keys():
        fields = {**fields, **_moved(session, sealer, location, fields, roots)}
    return change(session, location, fields)


def delete_storage_location(session: Session, location_id: uuid.UUID) -> None:
    """Delete a storage location; its folder stays. Raises ``Conflict`` while it is in use."""
    location = to_delete(session, StorageLocation, location_id, "Storage location")
    _check_not_in_use(session, location)
    _check_no_hook_names(session, location)
    mark_deleted(session, [location])


def restore_storage_location(
    session: Session, sealer: Sealer, location_id: uuid.UUID, roots: StorageRoots | None = None
) -> StorageLocation:
    """Take a deleted storage location back into use.

    Raises ``NotFound``, or ``Conflict`` when its name or place was taken since, or can't be written to any more.
    """
    location = to_restore(session, StorageLocation, location_id, "Storage location")
    _check_name_is_free(session, location.name)
    try:
        check_root(location, roots)
        _check_place_is_free(session, location, besides=location_id)
        mark_place(session, location, sealer, roots)
    except InvalidInput as error:
        raise Conflict(str(error)) from error
    mark_restored(session, [location])
    return location


def adopt_storage_location(
    session: Session, sealer: Sealer, location_id: uuid.UUID, roots: StorageRoots | None = None
) -> FoundMark:
    """Take a location's place over, on purpose; returns the mark that it had.

    The catalog or location that it belonged to is refused there from then on. Raises ``NotFound``, or ``Conflict`` when
    the place is not there or not writable.
    """
    location = storage_location_by_id(session, location_id)
    try:
        return adopt_place(session, storage_opener(sealer, roots)(location), location)
    except StorageError as error:
        raise Conflict(str(error)) from error


@dataclass(frozen=True, slots=True)
class StorageAnswer:
    """So many bytes were written, read back and compared."""

    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StorageRefusal:
    """The storage can't be used: the kind of error, and a sentence."""

    error_kind: str
    detail: str


def try_storage(open_storage: Callable[[], Storage]) -> StorageAnswer | StorageRefusal:
    """Write a probe as a transfer would stage it, read it back, compare, and remove it.

    ``open_storage`` compares the location's mark; a ``StorageError`` of it is reported as a refusal too.
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


def _moved(
    session: Session, sealer: Sealer, location: StorageLocation, changes: Mapping[str, Any], roots: StorageRoots | None
) -> dict[str, Any]:
    """The changed fields of a place, once it is found free and ready and, with versions, the place it was."""
    there = StorageLocation(id=location.id, name=location.name)
    for field in PLACE:
        setattr(there, field, changes.get(field, getattr(location, field)))
    normalise(there, sealer, known=location)
    if (there.type, there.base_path) != (location.type, location.base_path):
        _check_not_in_use(session, location)
        check_root(there, roots)
        _check_place_is_free(session, there, besides=location.id)
        mark_place(session, there, sealer, roots)
        there_since = {"marked_at": there.marked_at}
    else:
        check_place(session, there, sealer, roots)
        there_since = {}
    return {field: getattr(there, field) for field in (*PLACE, "sealed_secret_access_key")} | there_since


def _check_name_is_free(session: Session, location_name: str) -> None:
    if storage_location_by_name(session, location_name) is not None:
        raise Conflict(f"name: a storage location named {location_name} exists already")


_NOTES: dict[str, str] = {
    StorageType.POSIX: "",
    StorageType.S3: "; only bucket and prefix are compared, for one server may have many addresses",
}


def _check_place_is_free(session: Session, location: StorageLocation, besides: uuid.UUID | None = None) -> None:
    for other in session.scalars(listing(StorageLocation).where(StorageLocation.id != besides)):
        if not lie_apart(location, other):
            raise InvalidInput(
                "base_path", f"must lie apart from the storage location {other.name}{_NOTES[other.type]}"
            )


def _check_not_in_use(session: Session, location: StorageLocation) -> None:
    if session.scalar(select(Transfer.id).where(Transfer.storage_location_id == location.id).limit(1)):
        raise Conflict(f"the storage location {location.name} holds files of the catalog; disable it instead")
    if session.scalar(listing(Schedule).where(Schedule.default_storage_location_id == location.id).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by a schedule")


def _check_no_hook_names(session: Session, location: StorageLocation) -> None:
    redirect = {"redirect_rules": [{"destination": location.name}]}
    if hook := session.scalar(listing(Hook).where(Hook.config.contains(redirect)).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by the hook {hook.name}")


def normalise(location: StorageLocation, sealer: Sealer, known: StorageLocation | None = None) -> None:
    """Bring the fields of a place into the form in which they are kept, the secret sealed.

    Where none is given, that of ``known`` is kept, for the same key at the same server: a secret is never sent to
    another server. Raises ``InvalidInput``.
    """
    config = location.connection_config
    if location.type == StorageType.POSIX:
        if config:
            raise InvalidInput("connection_config", "must be empty for a posix location")
        location.base_path, location.connection_config = _posix_base_path("base_path", location.base_path), {}
        location.sealed_secret_access_key = None
        return
    fields = checked_config(config)
    secret = fields.pop(SECRET, None)
    location.base_path, location.connection_config = s3_base_path("base_path", location.base_path), fields
    if secret is not None:
        location.sealed_secret_access_key = sealer.seal(secret)
    elif known is not None and all(
        fields.get(field) == known.connection_config.get(field) for field in ("access_key_id", "endpoint_url")
    ):
        location.sealed_secret_access_key = known.sealed_secret_access_key
    else:
        raise InvalidInput(f"connection_config.{SECRET}", "is required")


def check_root(location: StorageLocation, roots: StorageRoots | None) -> None:
    """Raises ``InvalidInput`` unless the host allows a storage location there; None allows every place."""
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

    Raises ``InvalidInput`` when it can't be written to, or has another mark, which ``adopt`` replaces.
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
