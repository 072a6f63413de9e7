"""Schedules: cron lines by which instruments are harvested into storage locations. The caller commits.

A line has the five classic fields, in the dialect that croniter and Dagster share.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.deletion import (
    mark_deleted,
    mark_restored,
    present,
    referable,
    require_present,
    to_delete,
    to_restore,
)
from streamweave.catalog.session import add, change
from streamweave.catalog.tables import Instrument, Schedule, StorageLocation
from streamweave.errors import InvalidInput
from streamweave.validation import Rule, checked, flag, identity, shaped_text, text

DAY, MONTH = 2, 3
LONGEST = 200
FEBRUARY = 2
NEVER_IN_FEBRUARY = (30, 31)
_ANY_CASE = {letter.lower(): f"[{letter}{letter.lower()}]" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_DAY = "[1-9]|[12][0-9]|3[01]"
POLLING_INTERVALS = 3
GRACE = timedelta(minutes=10)
"""A scan takes time, and so may the daemon that starts it."""


def schedule_by_id(session: Session, schedule_id: uuid.UUID) -> Schedule:
    """The schedule, with its instrument. Raises ``NotFound``."""
    return present(session, Schedule, schedule_id, "Schedule", [joinedload(Schedule.instrument)])


def destinations(session: Session, instrument_id: uuid.UUID) -> list[StorageLocation]:
    """Where an instrument's files go: the enabled locations its enabled schedules name, each once, oldest first."""
    return [each for each in _named(session, instrument_id) if each.enabled and not each.is_deleted]


def why_no_destination(session: Session, instrument_id: uuid.UUID) -> str:
    """Why an instrument's files wait, as a sentence; for an instrument that has no ``destinations``."""
    named = [
        f"the storage location {each.name} {'was deleted' if each.is_deleted else 'is disabled'}"
        for each in _named(session, instrument_id)
    ]
    if not named:
        return "no enabled schedule names a storage location for this instrument"
    return f"{' and '.join(named)}, and no enabled schedule names another one for this instrument"


def _named(session: Session, instrument_id: uuid.UUID) -> Sequence[StorageLocation]:
    """The locations that an instrument's enabled schedules name, whether they are in use or not."""
    named = select(Schedule.default_storage_location_id).where(
        Schedule.instrument_id == instrument_id, Schedule.enabled, Schedule.deleted_at.is_(None)
    )
    locations = select(StorageLocation).where(StorageLocation.id.in_(named))
    return session.scalars(locations.order_by(StorageLocation.created_at, StorageLocation.id)).all()


def _field(number: str, *, names: str = "", week: str = "", special: str = "") -> str:
    """A list of ``*``, values, ranges and steps (in a week also ``#2``); ``special`` is what only this field knows."""
    words = ["".join(_ANY_CASE[letter] for letter in name) for name in names.split()]
    value = f"(?:{'|'.join([f'0*(?:{number})', *words])})"
    part = rf"(?:(?:\*|{value}(?:-{value})?)(?:/0*[1-9][0-9]*{week})?{special})"
    return f"{part}(?:,{part})*"


LINE = re.compile(
    " +".join(
        [
            _field("[1-5]?[0-9]"),
            _field("1?[0-9]|2[0-3]"),
            _field(_DAY, special=rf"|\?|[Ll]|[Ww](?:{_DAY})|(?:{_DAY})[Ww]"),
            _field("[1-9]|1[0-2]", names="jan feb mar apr may jun jul aug sep oct nov dec"),
            _field("[0-7]", names="sun mon tue wed thu fri sat", week="|#[1-5]", special=r"|\?|[Ll][0-7]"),
        ]
    )
)


@shaped_text(max_length=LONGEST, pattern=f"^{LINE.pattern}$")
def cron_expression(field: str, value: Any) -> str:
    """A cron line with minute, hour, day of month, month and day of week; a day that never comes is refused."""
    line: str = text(longest=LONGEST)(field, value)
    # croniter would take R, too: a random moment, and another one each time that the line is read
    if not LINE.fullmatch(line) or not croniter.is_valid(line):
        raise InvalidInput(field, "is not a cron line: minute, hour, day of month, month, day of week")
    expanded = croniter.expand(line)[0]
    if expanded[MONTH] == [FEBRUARY] and len(expanded[DAY]) == 1 and expanded[DAY][0] in NEVER_IN_FEBRUARY:
        raise InvalidInput(field, "names a day that never comes")
    return line


CHANGEABLE: dict[str, Rule] = {
    "default_storage_location_id": identity,
    "cron_expression": cron_expression,
    "enabled": flag,
}
AT_CREATION: dict[str, Rule] = {**CHANGEABLE, "instrument_id": identity}


def create_schedule(session: Session, values: Mapping[str, Any]) -> Schedule:
    """A new schedule: ``instrument_id``, ``default_storage_location_id``, ``cron_expression``; optionally ``enabled``.

    Its instrument, and with it the name that Dagster knows it by, never changes. Raises ``InvalidInput``.
    """
    fields = checked(AT_CREATION, values, required=("instrument_id", "default_storage_location_id", "cron_expression"))
    instrument = referable(session, Instrument, fields["instrument_id"])
    if instrument is None:
        raise InvalidInput("instrument_id", "there is no such instrument")
    _check_storage_location(session, fields)
    schedule_id = uuid.uuid4()
    name = f"harvest_{instrument.slug}_{schedule_id.hex[:8]}"
    return add(session, Schedule(**fields, id=schedule_id, dagster_schedule_name=name))


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
    """Restore a deleted schedule.

    Raises ``NotFound``, or ``Conflict`` while its instrument or its storage location is deleted.
    """
    schedule = to_restore(session, Schedule, schedule_id, "Schedule")
    require_present(session, Instrument, schedule.instrument_id, "instrument")
    require_present(session, StorageLocation, schedule.default_storage_location_id, "storage location")
    mark_restored(session, [schedule])
    return schedule


def _check_storage_location(session: Session, fields: Mapping[str, Any]) -> None:
    location_id = fields.get("default_storage_location_id")
    if location_id is not None and referable(session, StorageLocation, location_id) is None:
        raise InvalidInput("default_storage_location_id", "there is no such storage location")


def longest_pause(instrument: Instrument, crons: Sequence[str], now: datetime) -> timedelta:
    """How old the last scan may be: a few polling intervals, or the period of the most frequent schedule.

    ``crons`` are the lines of the instrument's enabled schedules.
    """
    polling = POLLING_INTERVALS * timedelta(seconds=instrument.poll_interval_seconds)
    periods = [_period(cron, now.astimezone(ZoneInfo(instrument.timezone))) for cron in crons]
    return max(polling, min(periods, default=polling)) + GRACE


def _period(cron: str, now: datetime) -> timedelta:
    """From the last time to the next one, in the instrument's local time."""
    last: datetime = croniter(cron, now).get_prev(datetime)
    following: datetime = croniter(cron, now).get_next(datetime)
    return following - last
