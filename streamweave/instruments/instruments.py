"""Instruments and their scans: queries, creation, changes, deletion. The caller commits."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.deletion import (
    listing,
    mark_deleted,
    mark_restored,
    present,
    require_present,
    to_delete,
    to_restore,
)
from streamweave.catalog.pages import Order, Page, PageRequest, page_of
from streamweave.catalog.session import add
from streamweave.catalog.tables import Hook, Instrument, Scan, Schedule, ServiceAccount, StorageLocation
from streamweave.errors import Conflict, InvalidInput
from streamweave.instruments.acquisition import day_exists
from streamweave.instruments.fields import AT_CHANGE, AT_CREATION, NO_ADDRESS, slug_from
from streamweave.instruments.service_accounts import bind
from streamweave.validation import checked

_NEWEST_SCAN = Order(Scan.started_at, Scan.id, newest_first=True)

WAITING = {"quiet_period_seconds": 60, "max_wait_seconds": 86_400}
SENDING = ("service_account_id", "cifs_host")
"""Whose credentials are sent where."""
ACQUISITIONS: dict[str, Any] = {"acquisition_depth": None, "marker_name": None}
CALENDAR: dict[str, Any] = {"timezone": "UTC", "first_acquisition_day": date(2020, 1, 1)}


def instrument_by_id(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Raises ``NotFound``."""
    return present(session, Instrument, instrument_id, "Instrument")


def instrument_by_slug(session: Session, slug: str) -> Instrument | None:
    """The instrument that Dagster and the archive know as ``slug``."""
    return session.scalar(listing(Instrument).where(Instrument.slug == slug))


def scans_of(session: Session, instrument_id: uuid.UUID, request: PageRequest) -> Page[Scan]:
    """The scans of an instrument's share, newest first. Raises ``NotFound`` for an unknown instrument."""
    instrument_by_id(session, instrument_id)
    return page_of(session, select(Scan).where(Scan.instrument_id == instrument_id), _NEWEST_SCAN, request)


def create_instrument(session: Session, values: Mapping[str, Any]) -> Instrument:
    """A new instrument from fields of ``streamweave.instruments.fields``; name, cifs_host and cifs_share are needed.

    The slug is made from the name if none is given. Slug and archive folder never change afterwards.
    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(AT_CREATION, values, required=("name", "cifs_host", "cifs_share"))
    fields["slug"] = fields.get("slug") or slug_from(fields["name"])
    _check_name_is_free(session, fields["name"])
    _check_slug_is_free(session, fields["slug"])
    _check_archive_folder_is_free(session, fields["name"])
    _bind_service_account(session, fields, {})
    _check_together({**WAITING, **ACQUISITIONS, **fields})
    _check_first_day({**CALENDAR, **fields})
    instrument = Instrument(**{**WAITING, **fields}, archive_folder=fields["name"])
    return add(session, instrument)


def checked_changes(session: Session, instrument: Instrument, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of an instrument that a person wants, in the form in which they are kept.

    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(AT_CHANGE, changes)
    if "name" in fields:
        _check_name_is_free(session, fields["name"], besides=instrument.id)
    _bind_service_account(session, fields, {field: getattr(instrument, field) for field in SENDING})
    _check_together({field: fields.get(field, getattr(instrument, field)) for field in {**WAITING, **ACQUISITIONS}})
    if fields.keys() & CALENDAR.keys():
        _check_first_day({field: fields.get(field, getattr(instrument, field)) for field in CALENDAR})
    if fields.get("enabled") and not instrument.enabled:
        _check_reachable({field: fields.get(field, getattr(instrument, field)) for field in SENDING})
    return fields


def delete_instrument(session: Session, instrument_id: uuid.UUID) -> None:
    """Delete an instrument with its schedules and hooks; its files stay in archive and catalog. Raises ``NotFound``."""
    instrument = to_delete(session, Instrument, instrument_id, "Instrument")
    mark_deleted(session, [instrument, *_schedules(session, instrument), *_hooks(session, instrument)])


def restore_instrument(session: Session, instrument_id: uuid.UUID) -> Instrument:
    """Restore a deleted instrument, with the schedules and hooks that were deleted with it.

    Raises ``NotFound``, or ``Conflict`` when its name is taken, or something that it needs is deleted.
    """
    instrument = to_restore(session, Instrument, instrument_id, "Instrument")
    _check_name_is_free(session, instrument.name)
    if instrument.service_account_id is not None:
        require_present(session, ServiceAccount, instrument.service_account_id, "service account")
    schedules = _schedules(session, instrument)
    for schedule in schedules:
        require_present(session, StorageLocation, schedule.default_storage_location_id, "storage location")
    mark_restored(session, [instrument, *schedules, *_hooks(session, instrument)])
    return instrument


def _schedules(session: Session, instrument: Instrument) -> Sequence[Schedule]:
    """Those that are in use, or were deleted, as the instrument is or was."""
    of_it = Schedule.instrument_id == instrument.id
    return session.scalars(
        select(Schedule).where(of_it, Schedule.deleted_at.is_not_distinct_from(instrument.deleted_at))
    ).all()


def _hooks(session: Session, instrument: Instrument) -> Sequence[Hook]:
    """As ``_schedules``; never the global hooks."""
    of_it = Hook.instrument_id == instrument.id
    return session.scalars(select(Hook).where(of_it, Hook.deleted_at.is_not_distinct_from(instrument.deleted_at))).all()


def _check_name_is_free(session: Session, name: str, besides: uuid.UUID | None = None) -> None:
    same = session.scalar(listing(Instrument).where(func.lower(Instrument.name) == func.lower(name)))
    if same is not None and same.id != besides:
        raise Conflict(f"name: an instrument named {name} exists already")


def _check_slug_is_free(session: Session, slug: str) -> None:
    owner = session.scalar(select(Instrument).where(Instrument.slug == slug))
    if owner is None:
        return
    if owner.is_deleted:
        raise Conflict(f"slug: {slug} belongs to the deleted instrument {owner.name}: {_restorable(owner)}")
    raise Conflict(f"slug: an instrument with the slug {slug} exists already; give another one")


def _check_archive_folder_is_free(session: Session, folder: str) -> None:
    owner = session.scalar(select(Instrument).where(func.lower(Instrument.archive_folder) == func.lower(folder)))
    if owner is None:
        return
    belongs = f"name: the archive's folder {folder} belongs to the"
    if owner.is_deleted:
        raise Conflict(f"{belongs} deleted instrument {owner.name}: {_restorable(owner)}")
    raise Conflict(f"{belongs} instrument {owner.name}")


def _restorable(deleted: Instrument) -> str:
    return (
        f"restore it with POST /api/instruments/{deleted.id}/restore, and its files, schedules and hooks are back; "
        "or give another name and slug"
    )


def _bind_service_account(session: Session, changes: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Whenever the account or the host changes, the one must be bound to the other."""
    after = {**before, **changes}
    if after.get("service_account_id") is not None and not changes.keys().isdisjoint(SENDING):
        bind(session, after["service_account_id"], after["cifs_host"])


def _check_reachable(fields: Mapping[str, Any]) -> None:
    """An instrument from a journal has no host and no account before they are entered. Raises ``InvalidInput``."""
    if fields["cifs_host"] == NO_ADDRESS:
        account = " and service_account_id" if fields["service_account_id"] is None else ""
        raise InvalidInput("enabled", f'enter cifs_host (with "address_change": "same_files"){account} first')


def _check_together(fields: Mapping[str, Any]) -> None:
    if fields["max_wait_seconds"] < fields["quiet_period_seconds"]:
        raise InvalidInput("max_wait_seconds", "must not be shorter than the quiet period")
    if fields["marker_name"] is not None and fields["acquisition_depth"] is None:
        raise InvalidInput("marker_name", "needs acquisition_depth, which says in which folders it is")


def _check_first_day(fields: Mapping[str, Any]) -> None:
    day, timezone = fields["first_acquisition_day"], fields["timezone"]
    if not day_exists(day, timezone):
        raise InvalidInput("first_acquisition_day", f"{timezone} never had the day {day}: take the one after it")
