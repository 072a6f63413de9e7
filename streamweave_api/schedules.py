"""Schedules, for admins, and launching their harvests by hand."""

from datetime import datetime
from uuid import UUID

from litestar import Response, Router, delete, get, patch, post
from litestar.exceptions import ClientException
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from streamweave.instruments.schedules import (
    create_schedule,
    delete_schedule,
    restore_schedule,
    schedule_by_id,
    schedules,
    update_schedule,
)
from streamweave_api.auth import admin_only
from streamweave_api.bodies import IncludeDeleted, Incoming, Outgoing, given, shown
from streamweave_api.openapi.answers import errors
from streamweave_api.pagination import PageAsked
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


@get("/", sync_to_thread=True, summary="List schedules")
def list_schedules(
    service: TheService, page: PageAsked, include_deleted: IncludeDeleted = False
) -> Response[list[ScheduleBody]]:
    """All schedules in order of creation."""
    with service.reading() as session:
        return page.response(schedules(session, page, include_deleted=include_deleted), ScheduleBody)


@post("/", sync_to_thread=True, summary="Create a schedule")
def add_schedule(service: TheService, data: JSONBody[NewSchedule]) -> ScheduleBody:
    """A new schedule; Dagster shows it soon after."""
    with service.sessions.begin() as session:
        created = shown(create_schedule(session, given(data)), ScheduleBody)
    service.location_reload.request()
    return created


@get("/{schedule_id:uuid}", sync_to_thread=True, summary="Show a schedule")
def show_schedule(service: TheService, schedule_id: FromPath[UUID]) -> ScheduleBody:
    """One schedule."""
    with service.reading() as session:
        return shown(schedule_by_id(session, schedule_id), ScheduleBody)


@patch("/{schedule_id:uuid}", sync_to_thread=True, summary="Change a schedule")
def change_schedule(service: TheService, schedule_id: FromPath[UUID], data: JSONBody[ScheduleChanges]) -> ScheduleBody:
    """Change the fields that are given."""
    with service.sessions.begin() as session:
        changed = shown(update_schedule(session, schedule_id, given(data)), ScheduleBody)
    service.location_reload.request()
    return changed


@delete("/{schedule_id:uuid}", sync_to_thread=True, summary="Delete a schedule")
def remove_schedule(service: TheService, schedule_id: FromPath[UUID]) -> None:
    """Delete a schedule; it can be restored."""
    with service.sessions.begin() as session:
        delete_schedule(session, schedule_id)
    service.location_reload.request()


@post("/{schedule_id:uuid}/restore", sync_to_thread=True, status_code=200, summary="Restore a schedule")
def bring_back_schedule(service: TheService, schedule_id: FromPath[UUID]) -> ScheduleBody:
    """Restore a deleted schedule."""
    with service.sessions.begin() as session:
        restored = shown(restore_schedule(session, schedule_id), ScheduleBody)
    service.location_reload.request()
    return restored


@post(
    "/{schedule_id:uuid}/trigger",
    sync_to_thread=True,
    status_code=200,
    responses=errors(502),
    summary="Run a schedule now",
)
def trigger_schedule(service: TheService, schedule_id: FromPath[UUID]) -> Triggered:
    """Harvest the schedule's instrument now."""
    with service.reading() as session:
        schedule = schedule_by_id(session, schedule_id)
    if not schedule.enabled:
        raise ClientException("The schedule is disabled: enable it to harvest by hand")
    return Triggered(run_id=service.dagster.launch_harvest(schedule.instrument.slug), schedule_id=schedule_id)


schedules_router = Router(
    "/api/schedules",
    route_handlers=[
        list_schedules,
        add_schedule,
        show_schedule,
        change_schedule,
        remove_schedule,
        bring_back_schedule,
        trigger_schedule,
    ],
    guards=[admin_only],
    tags=["Schedules"],
)
