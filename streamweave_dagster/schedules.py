"""One Dagster schedule for each enabled schedule of the catalog; it runs the job ``harvest``."""

import dagster as dg

from streamweave.catalog.tables import Schedule
from streamweave.harvest.rate_limit import closed_until, limits_of
from streamweave.instruments.dagster import harvest_run_config, harvest_run_tags
from streamweave_dagster.harvest import harvest_job


def harvest_schedule(schedule: Schedule) -> dg.ScheduleDefinition:
    """The schedule, by the calendar on the instrument's wall.

    It rests while its instrument is disabled, and requests nothing outside the instrument's hours.
    """
    instrument = schedule.instrument
    limits = limits_of(instrument)

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        opening = limits.opens_at(context.scheduled_execution_time)
        if opening is not None:
            return dg.SkipReason(closed_until(opening))
        return dg.RunRequest(run_config=harvest_run_config(instrument.slug), tags=harvest_run_tags(instrument.slug))

    running = schedule.enabled and instrument.enabled
    return dg.ScheduleDefinition(
        name=schedule.dagster_schedule_name,
        job=harvest_job,
        cron_schedule=schedule.cron_expression,
        execution_timezone=instrument.timezone,
        execution_fn=request,
        description=f"Harvests {instrument.name} into {schedule.default_storage_location.name}.",
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
    )
