"""Storage locations: how they are entered, changed and removed. The caller commits.

What is archived stays where it is: once a location holds versions, or a schedule names it, its place is fixed. A secret
is sealed as it goes in, and never comes out.

``roots`` say where a posix location may be entered, moved to or restored (``streamweave.storage.roots``). Every entry
point that people reach passes them; without them any folder will do.

Whether a storage location takes bytes and gives them back now.
"""

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
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import change
from streamweave.catalog.tables import Hook, Schedule, StorageLocation, StorageType, Transfer
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import Conflict, CopyNotProven, InvalidInput, StorageError
from streamweave.sealing import Sealer
from streamweave.storage.base import Storage
from streamweave.storage.location_fields import PLACE, base_path, check_place, check_root, lie_apart, mark_place, settle
from streamweave.storage.marking import adopt_place
from streamweave.storage.marks import FoundMark
from streamweave.storage.opening import storage_opener
from streamweave.storage.roots import StorageRoots
from streamweave.validation import Rule, checked, flag, name, one_word_of, require

_CREATION = Order(StorageLocation.created_at, StorageLocation.id)


def storage_locations(
    session: Session, request: PageRequest, *, include_deleted: bool = False
) -> Page[StorageLocation]:
    """All storage locations in order of creation."""
    return page_of(session, listing(StorageLocation, include_deleted=include_deleted), _CREATION, request)


def storage_location_by_id(session: Session, location_id: uuid.UUID) -> StorageLocation:
    """Raises ``NotFound``."""
    return present(session, StorageLocation, location_id, "Storage location")


def storage_location_by_name(session: Session, location_name: str) -> StorageLocation | None:
    """The storage location of that name."""
    return session.scalar(listing(StorageLocation).where(StorageLocation.name == location_name))


def create_storage_location(
    session: Session, sealer: Sealer, values: Mapping[str, Any], roots: StorageRoots | None = None
) -> StorageLocation:
    """A new storage location: ``name`` and ``base_path``, and if wished ``type``, ``connection_config``, ``enabled``.

    Its place is marked and made ready, and must be writable. One that is marked already is refused, unless ``adopt`` is
    true: then it is taken over from whoever marked it. Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(AT_CREATION, values)
    require(fields, "name", "base_path")
    adopt = fields.pop("adopt", False)
    _check_name_is_free(session, fields["name"])
    location = StorageLocation(id=uuid7(), **{"type": StorageType.POSIX, "connection_config": {}, **fields})
    settle(location, sealer)
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
    """Delete a storage location; its folder stays. While it is in use it stays too: ``Conflict``."""
    location = to_delete(session, StorageLocation, location_id, "Storage location")
    _check_not_in_use(session, location)
    _check_no_hook_names(session, location)
    mark_deleted(session, [location])


def restore_storage_location(
    session: Session, sealer: Sealer, location_id: uuid.UUID, roots: StorageRoots | None = None
) -> StorageLocation:
    """Take a deleted storage location back into use.

    Raises ``NotFound``, or ``Conflict`` when its name or place was taken meanwhile, or can't be written to any more.
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
    """Take a location's place over, on purpose; returns the mark that stood there. The caller commits.

    Whichever catalog or location marked it before is refused there from then on. Raises ``NotFound``, or ``Conflict``
    when the place is not there or not writable.
    """
    location = storage_location_by_id(session, location_id)
    try:
        return adopt_place(session, storage_opener(sealer, roots)(location), location)
    except StorageError as error:
        raise Conflict(str(error)) from error


def _mapping(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(field, "must be an object")
    return value


FIELDS: dict[str, Rule] = {
    "name": name,
    "type": one_word_of(*StorageType),
    "connection_config": _mapping,
    "base_path": base_path,
    "enabled": flag,
}
AT_CREATION: dict[str, Rule] = {**FIELDS, "adopt": flag}


def _moved(
    session: Session,
    sealer: Sealer,
    location: StorageLocation,
    changes: Mapping[str, Any],
    roots: StorageRoots | None,
) -> dict[str, Any]:
    """The changed fields of a place, which has been found free, ready and, where versions are, the place it was."""
    there = StorageLocation(id=location.id, name=location.name)
    for field in PLACE:
        setattr(there, field, changes.get(field, getattr(location, field)))
    settle(there, sealer, known=location)
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


def _holds_versions(session: Session, location: StorageLocation) -> bool:
    return session.scalar(select(Transfer.id).where(Transfer.storage_location_id == location.id).limit(1)) is not None


def _check_not_in_use(session: Session, location: StorageLocation) -> None:
    if _holds_versions(session, location):
        raise Conflict(f"the storage location {location.name} holds files of the catalog; disable it instead")
    if session.scalar(listing(Schedule).where(Schedule.default_storage_location_id == location.id).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by a schedule")


def _check_no_hook_names(session: Session, location: StorageLocation) -> None:
    redirect = {"redirect_rules": [{"destination": location.name}]}
    if hook := session.scalar(listing(Hook).where(Hook.config.contains(redirect)).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by the hook {hook.name}")


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
