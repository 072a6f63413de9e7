"""The jobs and the sensor that concern all instruments: ``sweep_archive``, ``check_instruments`` and ``alerts``.

``sweep_archive`` re-reads archived copies and repairs damaged ones, by storage location, so that the files of deleted
instruments are included. ``check_instruments`` runs each night, after the sweep began. The sensor ``alerts`` requests
no run: at each tick the core evaluates what is wrong, and sends the messages that are due.
"""

import time
from collections.abc import Sequence

import dagster as dg

from streamweave.alerts.channels import Channels
from streamweave.alerts.evaluate import evaluate_alerts
from streamweave.catalog.tables import Instrument
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.preservation.repair import RepairReport, instruments_with_repairs, repair_copies
from streamweave.preservation.report import SweepReport
from streamweave.preservation.reread import ArchivedCopy
from streamweave.preservation.sweep import sweep_archive
from streamweave.printable import printable
from streamweave_dagster.failures import errors_as_failures, errors_as_red_ticks

SWEEP_JOB = "sweep_archive"
SECONDS_BETWEEN_LINES = 60.0
NAMED_COPIES = 100
Context = dg.OpExecutionContext


@dg.op(description="Re-read what is due in every storage location.")
def sweep(context: Context, facility: dg.ResourceParam[Facility]) -> list[str]:
    """Returns what has to be told in the end: repairs come first."""
    log = _SweepLog(context)
    with errors_as_failures():
        reports = sweep_archive(
            facility, dagster_run_id=context.run.run_id, on_batch=log.batch, on_location=log.location
        )
    context.add_output_metadata(
        {
            "files": sum(report.files for report in reports),
            "bytes": sum(report.bytes for report in reports),
            "damaged": _table(reports),
        }
    )
    return [report.sentence() for report in reports if report.warnings()]


@dg.op(description="Give damaged copies successors, from the share or from another storage location.")
def repair(context: Context, facility: dg.ResourceParam[Facility], warnings: list[str]) -> None:
    """Fails, once everything is done that could be, when a person has to know of something."""
    told = list(warnings)
    with facility.sessions() as session:
        instruments = [session.get_one(Instrument, each) for each in instruments_with_repairs(session)]
    for instrument in instruments:
        try:
            report = repair_copies(facility, instrument, dagster_run_id=context.run.run_id)
        except StreamWeaveError as error:  # one instrument's trouble must not keep others from their repairs
            told.append(f"{instrument.name}: {error}")
            continue
        _tell(context, instrument, report)
        if report.failed:
            told.append(f"{instrument.name}: {report.sentence()}")
    if told:
        raise dg.Failure(printable("; ".join(told)), allow_retries=False)


@dg.job(
    name=SWEEP_JOB,
    description="Re-read what is due in every storage location, and repair what is damaged.",
    tags={"dagster/max_retries": "0"},
)
def sweep_job() -> None:
    """sweep → repair."""
    repair(sweep())


nightly_sweep = dg.ScheduleDefinition(
    name="sweep_archive_nightly",
    job=sweep_job,
    cron_schedule="17 1 * * *",
    description="Re-reads a share of the archive every night (UTC).",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


class _SweepLog:
    """A line for each location once a minute, and one in the end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told_at = dict[str, float]()

    def batch(self, report: SweepReport, _: Sequence[ArchivedCopy]) -> None:
        now = time.monotonic()
        if now - self._told_at.setdefault(report.location, now) >= SECONDS_BETWEEN_LINES:
            self._told_at[report.location] = now
            self._context.log.info(printable(f"under way: {report.sentence()}"))

    def location(self, report: SweepReport) -> None:
        tell = self._context.log.error if report.damaged or report.warnings() else self._context.log.info
        tell(printable(report.sentence()))


def _tell(context: Context, instrument: Instrument, report: RepairReport) -> None:
    context.log.info(printable(f"{instrument.name}: {report.sentence()}"))
    for path, address in report.repaired[:NAMED_COPIES]:
        context.log.info(printable(f"{path}: repaired as {address}"))
    for path, why in report.failed[:NAMED_COPIES]:
        context.log.error(printable(f"{path}: not repaired: {why}"))


def _table(reports: Sequence[SweepReport]) -> dg.TableMetadataValue:
    damaged = [damage for report in reports for damage in report.damaged][:NAMED_COPIES]
    schema = dg.TableSchema(columns=[dg.TableColumn(column) for column in ("path", "address", "finding")])
    records = [
        dg.TableRecord({"path": each.source_path, "address": each.address, "finding": f"{each.outcome}: {each.found}"})
        for each in damaged
    ]
    return dg.MetadataValue.table(records, schema)


CHECK_JOB = "check_instruments"

check_job = dg.define_asset_job(
    CHECK_JOB,
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


ALERTS_JOB = "alerts"
SECONDS_BETWEEN_TICKS = 45


@dg.sensor(
    name=ALERTS_JOB,
    minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the admins what is wrong, once when it begins and once when it is over.",
)
def alerts_sensor(facility: dg.ResourceParam[Facility], channels: dg.ResourceParam[Channels]) -> dg.SkipReason:
    with errors_as_red_ticks():
        return dg.SkipReason(printable(evaluate_alerts(facility, channels).sentence()))
