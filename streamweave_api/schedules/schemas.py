"""The bodies of schedules."""

from datetime import datetime
from uuid import UUID

from msgspec import UNSET, UnsetType

from streamweave_api.bodies import Incoming, Outgoing


class ScheduleChanges(Incoming):
    """Any of a schedule's fields that can be changed."""

    default_storage_location_id: UUID | UnsetType = UNSET
    cron_expression: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewSchedule(ScheduleChanges, kw_only=True):
    """A schedule as it is entered."""

    instrument_id: UUID
    default_storage_location_id: UUID
    cron_expression: str


class ScheduleBody(Outgoing):
    """A schedule; its cron line is read in the instrument's time zone."""

    id: UUID
    instrument_id: UUID
    default_storage_location_id: UUID
    cron_expression: str
    dagster_schedule_name: str
    enabled: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Triggered(Outgoing):
    """The run that was started."""

    run_id: str
    schedule_id: UUID
