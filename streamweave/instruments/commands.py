"""What can be done to instruments. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import FileRecord, Instrument, ServiceAccount
from streamweave.errors import Conflict, InvalidInput
from streamweave.instruments.fields import AT_CREATION, CHANGEABLE
from streamweave.instruments.naming import slug_from
from streamweave.instruments.questions import instrument_by_id, instrument_by_slug
from streamweave.rules import checked, require

WAITING = {"quiet_period_seconds": 60, "max_wait_seconds": 86_400}


def create_instrument(session: Session, values: Mapping[str, Any]) -> Instrument:
    """A new instrument from fields of ``streamweave.instruments.fields``; name, cifs_host and cifs_share are needed.

    The slug is made from the name if none is given. Slug and archive folder never change afterwards.
    Raises ``InvalidInput`` or ``Conflict``.
    """
    fields = checked(AT_CREATION, values)
    require(fields, "name", "cifs_host", "cifs_share")
    fields["slug"] = fields.get("slug") or slug_from(fields["name"])
    _check_name_is_free(session, fields["name"])
    _check_slug_is_free(session, fields["slug"])
    _check_archive_folder_is_free(session, fields["name"])
    _check_service_account(session, fields.get("service_account_id"))
    _check_waiting({**WAITING, **fields})
    instrument = Instrument(**{**WAITING, **fields}, archive_folder=fields["name"])
    session.add(instrument)
    session.flush()
    return instrument


def update_instrument(session: Session, instrument_id: uuid.UUID, changes: Mapping[str, Any]) -> Instrument:
    """Change the given fields of an instrument. Raises ``NotFound``, ``InvalidInput`` or ``Conflict``."""
    instrument = instrument_by_id(session, instrument_id)
    fields = checked(CHANGEABLE, changes)
    if "name" in fields:
        _check_name_is_free(session, fields["name"], besides=instrument_id)
    _check_service_account(session, fields.get("service_account_id"))
    _check_waiting({field: fields.get(field, getattr(instrument, field)) for field in WAITING})
    for field, value in fields.items():
        setattr(instrument, field, value)
    session.flush()
    session.refresh(instrument)
    return instrument


def delete_instrument(session: Session, instrument_id: uuid.UUID) -> None:
    """Remove an instrument with its schedules, hooks and scans. With files in the catalog it stays: ``Conflict``."""
    instrument = instrument_by_id(session, instrument_id)
    files = session.scalar(select(func.count()).where(FileRecord.instrument_id == instrument_id)) or 0
    if files:
        counted = "1 file" if files == 1 else f"{files} files"
        raise Conflict(f"the instrument {instrument.name} has {counted} in the catalog; disable it instead")
    session.delete(instrument)
    session.flush()


def _check_name_is_free(session: Session, name: str, besides: uuid.UUID | None = None) -> None:
    same = session.scalar(select(Instrument.id).where(func.lower(Instrument.name) == func.lower(name)))
    if same not in (None, besides):
        raise Conflict(f"name: an instrument named {name} exists already")


def _check_slug_is_free(session: Session, slug: str) -> None:
    if instrument_by_slug(session, slug) is not None:
        raise Conflict(f"slug: an instrument with the slug {slug} exists already; give another one")


def _check_archive_folder_is_free(session: Session, folder: str) -> None:
    owner = session.scalar(select(Instrument.name).where(func.lower(Instrument.archive_folder) == func.lower(folder)))
    if owner is not None:
        raise Conflict(f"name: the archive's folder {folder} belongs to the instrument {owner}")


def _check_service_account(session: Session, account_id: uuid.UUID | None) -> None:
    if account_id is not None and session.get(ServiceAccount, account_id) is None:
        raise InvalidInput("service_account_id", "there is no such service account")


def _check_waiting(fields: Mapping[str, Any]) -> None:
    if fields["max_wait_seconds"] < fields["quiet_period_seconds"]:
        raise InvalidInput("max_wait_seconds", "must not be shorter than the quiet period")
