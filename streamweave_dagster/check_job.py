"""The job ``check_instruments``, and the schedule that runs it in the quiet of each night, after the sweep began."""

import dagster as dg

NAME = "check_instruments"

check_job = dg.define_asset_job(
    NAME,
    selection=dg.AssetSelection.all_asset_checks(),
    description="Check every instrument: fixity, completeness, freshness.",
)
nightly_check = dg.ScheduleDefinition(
    name="check_instruments_nightly",
    job=check_job,
    cron_schedule="17 3 * * *",
    description="Checks every instrument once a night (UTC).",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
