"""Schedules, for admins, and launching their harvests by hand."""

from datetime import datetime
from uuid import UUID

from litestar import post
from litestar.exceptions import ClientException
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from streamweave.catalog.tables import Schedule
from streamweave.instruments.schedules import (
    create_schedule,
    delete_schedule,
    restore_schedule,
    schedule_by_id,
    update_schedule,
)
from streamweave_api.bodies import Incoming, Outgoing
from streamweave_api.openapi.answers import errors
from streamweave_api.resources import Resource, resource_router
from streamweave_api.service import TheService


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


@post(
    "/{schedule_id:uuid}/trigger",
    sync_to_thread=True,
    status_code=200,
    responses=errors(502),
    summary="Run a schedule now",
)
def trigger_schedule(service: TheService, schedule_id: FromPath[UUID]) -> Triggered:
    """Harvest the schedule's instrument now."""
    schedule = service.read(schedule_by_id, schedule_id)
    if not schedule.enabled:
        raise ClientException("The schedule is disabled: enable it to harvest by hand")
    return Triggered(run_id=service.dagster.launch_harvest(schedule.instrument.slug), schedule_id=schedule_id)


schedules_router = resource_router(
    "/api/schedules",
    "Schedules",
    Resource(
        name="schedule",
        parameter="schedule_id",
        new=NewSchedule,
        changes=ScheduleChanges,
        body=ScheduleBody,
        table=Schedule,
        create=lambda _, session, values: create_schedule(session, values),
        update=lambda _, session, schedule_id, changes: update_schedule(session, schedule_id, changes),
        delete=delete_schedule,
        restore=lambda _, session, schedule_id: restore_schedule(session, schedule_id),
        in_dagster=True,
    ),
    trigger_schedule,
)
