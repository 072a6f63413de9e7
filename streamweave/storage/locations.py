"""Storage locations: how they are entered, changed and removed. The caller commits.

What is archived stays where it is: once a location holds versions, or a schedule names it, its place is fixed.
"""

import os
import posixpath
import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import Hook, Schedule, StorageLocation, StorageType, Transfer
from streamweave.deletion import listing, mark_deleted, mark_restored, present, to_delete, to_restore
from streamweave.errors import Conflict, InvalidInput, StorageError
from streamweave.pages import Order, Page, PageRequest, page_of
from streamweave.rules import Rule, checked, flag, name, one_word_of, require, text
from streamweave.storage.opening import open_storage

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


def create_storage_location(session: Session, values: Mapping[str, Any]) -> StorageLocation:
    """A new storage location: ``name`` and ``base_path``, and if wished ``type``, ``connection_config``, ``enabled``.

    Its folder is made, and must be writable. Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(FIELDS, values)
    require(fields, "name", "base_path")
    _check_name_is_free(session, fields["name"])
    _check_place_is_free(session, fields["base_path"])
    location = StorageLocation(**{"type": StorageType.POSIX, **fields})
    _prepare(location)
    session.add(location)
    session.flush()
    return location


def update_storage_location(session: Session, location_id: uuid.UUID, changes: Mapping[str, Any]) -> StorageLocation:
    """Change the given fields. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    location = storage_location_by_id(session, location_id)
    fields = {field: value for field, value in checked(FIELDS, changes).items() if getattr(location, field) != value}
    if "name" in fields:
        _check_name_is_free(session, fields["name"])
        _check_no_hook_names(session, location)
    if "base_path" in fields:
        _check_not_in_use(session, location)
        _check_place_is_free(session, fields["base_path"], besides=location_id)
        _prepare(StorageLocation(name=location.name, type=location.type, base_path=fields["base_path"]))
    for field, value in fields.items():
        setattr(location, field, value)
    session.flush()
    session.refresh(location)
    return location


def delete_storage_location(session: Session, location_id: uuid.UUID) -> None:
    """Delete a storage location; its folder stays. While it is in use it stays too: ``Conflict``."""
    location = to_delete(session, StorageLocation, location_id, "Storage location")
    _check_not_in_use(session, location)
    _check_no_hook_names(session, location)
    mark_deleted(session, [location])


def restore_storage_location(session: Session, location_id: uuid.UUID) -> StorageLocation:
    """Take a deleted storage location back into use.

    Raises ``NotFound``, or ``Conflict`` when its name or place was taken meanwhile, or can't be written to any more.
    """
    location = to_restore(session, StorageLocation, location_id, "Storage location")
    _check_name_is_free(session, location.name)
    try:
        _check_place_is_free(session, location.base_path, besides=location_id)
        _prepare(location)
    except InvalidInput as error:
        raise Conflict(str(error)) from error
    mark_restored(session, [location])
    return location


def _base_path(field: str, value: Any) -> str:
    path: str = text()(field, value)
    if not path.startswith("/"):
        raise InvalidInput(field, "must be an absolute path")
    if ".." in path.split("/"):
        raise InvalidInput(field, "must not hold '..'")
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if normal == "/":
        raise InvalidInput(field, "must be a folder of its own")
    return normal


def _connection_config(field: str, value: Any) -> dict[str, Any]:
    if value != {}:
        raise InvalidInput(field, "must be empty for a posix location")
    return {}


FIELDS: dict[str, Rule] = {
    "name": name,
    "type": one_word_of(*StorageType),
    "connection_config": _connection_config,
    "base_path": _base_path,
    "enabled": flag,
}


def _prepare(location: StorageLocation) -> None:
    try:
        open_storage(location).prepare(holds_versions=False)
    except StorageError as error:
        raise InvalidInput("base_path", str(error)) from error


def _check_name_is_free(session: Session, location_name: str) -> None:
    if storage_location_by_name(session, location_name) is not None:
        raise Conflict(f"name: a storage location named {location_name} exists already")


def _check_place_is_free(session: Session, base_path: str, besides: uuid.UUID | None = None) -> None:
    place = os.path.realpath(base_path)
    for other in session.scalars(listing(StorageLocation).where(StorageLocation.id != besides)):
        if os.path.commonpath([place, taken := os.path.realpath(other.base_path)]) in (place, taken):
            raise InvalidInput("base_path", f"must lie apart from the storage location {other.name}")


def _check_not_in_use(session: Session, location: StorageLocation) -> None:
    if session.scalar(select(Transfer.id).where(Transfer.storage_location_id == location.id).limit(1)):
        raise Conflict(f"the storage location {location.name} holds files of the catalog; disable it instead")
    if session.scalar(listing(Schedule).where(Schedule.default_storage_location_id == location.id).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by a schedule")


def _check_no_hook_names(session: Session, location: StorageLocation) -> None:
    redirect = {"redirect_rules": [{"destination": location.name}]}
    if hook := session.scalar(listing(Hook).where(Hook.config.contains(redirect)).limit(1)):
        raise Conflict(f"the storage location {location.name} is named by the hook {hook.name}")
