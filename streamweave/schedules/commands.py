"""What can be done to schedules. The caller commits."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from streamweave.catalog.deletion import mark_deleted, mark_restored, referable, require_present, to_delete, to_restore
from streamweave.catalog.session import change
from streamweave.catalog.tables import Instrument, Schedule, StorageLocation
from streamweave.errors import InvalidInput
from streamweave.schedules.cron import cron_expression
from streamweave.schedules.questions import schedule_by_id
from streamweave.validation import Rule, checked, flag, identity, require

CHANGEABLE: dict[str, Rule] = {
    "default_storage_location_id": identity,
    "cron_expression": cron_expression,
    "enabled": flag,
}
AT_CREATION: dict[str, Rule] = {**CHANGEABLE, "instrument_id": identity}


def create_schedule(session: Session, values: Mapping[str, Any]) -> Schedule:
    """A new schedule: ``instrument_id``, ``default_storage_location_id``, ``cron_expression``; if wished ``enabled``.

    Its instrument, and with it the name that Dagster knows it by, never changes. Raises ``InvalidInput``.
    """
    fields = checked(AT_CREATION, values)
    require(fields, "instrument_id", "default_storage_location_id", "cron_expression")
    instrument = referable(session, Instrument, fields["instrument_id"])
    if instrument is None:
        raise InvalidInput("instrument_id", "there is no such instrument")
    _check_storage_location(session, fields)
    schedule_id = uuid.uuid4()
    schedule = Schedule(**fields, id=schedule_id, dagster_schedule_name=dagster_name(instrument.slug, schedule_id))
    session.add(schedule)
    session.flush()
    return schedule


def update_schedule(session: Session, schedule_id: uuid.UUID, changes: Mapping[str, Any]) -> Schedule:
    """Change the given fields. Raises ``NotFound`` or ``InvalidInput``."""
    schedule = schedule_by_id(session, schedule_id)
    fields = checked(CHANGEABLE, changes)
    _check_storage_location(session, fields)
    return change(session, schedule, fields)


def delete_schedule(session: Session, schedule_id: uuid.UUID) -> None:
    """Delete a schedule; it can be restored. Raises ``NotFound``."""
    mark_deleted(session, [to_delete(session, Schedule, schedule_id, "Schedule")])


def restore_schedule(session: Session, schedule_id: uuid.UUID) -> Schedule:
    """Take a deleted schedule back into use.

    Raises ``NotFound``, or ``Conflict`` while its instrument or its storage location is deleted.
    """
    schedule = to_restore(session, Schedule, schedule_id, "Schedule")
    require_present(session, Instrument, schedule.instrument_id, "instrument")
    require_present(session, StorageLocation, schedule.default_storage_location_id, "storage location")
    mark_restored(session, [schedule])
    return schedule


def dagster_name(slug: str, schedule_id: uuid.UUID) -> str:
    """What Dagster calls the schedule of the instrument ``slug``."""
    return f"harvest_{slug}_{schedule_id.hex[:8]}"


def _check_storage_location(session: Session, fields: Mapping[str, Any]) -> None:
    location_id = fields.get("default_storage_location_id")
    if location_id is not None and referable(session, StorageLocation, location_id) is None:
        raise InvalidInput("default_storage_location_id", "there is no such storage location")
