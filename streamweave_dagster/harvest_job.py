"""The job ``harvest``: one instrument, its whole share, everything pending. Schedules and manual triggers run it.

When it has succeeded, every file that stood on the share when it began is in the catalog, archived or with the reason
why not.
"""

import dagster as dg

from streamweave.facility import Facility
from streamweave.harvest.source_check import rehash
from streamweave.instruments.dagster import JOB_NAME
from streamweave.printable import printable
from streamweave_dagster.failures import RETRY_TRANSIENT, RUN_RETRY_TAGS, errors_as_failures, summed_up
from streamweave_dagster.instruments.assets import asset_key
from streamweave_dagster.materializations import day_metadata
from streamweave_dagster.standing import standing_of
from streamweave_dagster.steps import Harvest, enrich_step, filter_step, instrument_called, look, transfer


class WhichInstrument(dg.Config):
    """``instrument`` is the slug."""

    instrument: str


@dg.op(description="Look at the share until what stands there has settled.", retry_policy=RETRY_TRANSIENT)
def discover(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], config: WhichInstrument) -> Harvest:
    """The harvest begins here; from now on it knows its instrument."""
    return look(context, facility, Harvest(config.instrument))


@dg.op(
    name="filter_pending",
    description="Let the hooks decide on everything that has settled, and plan transfers.",
    retry_policy=RETRY_TRANSIENT,
)
def filter_pending(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    """As for the assets, but over all days."""
    return filter_step(context, facility, harvest)


@dg.op(description="Let the hooks tell more about archived files, and show what was done.")
def enrich_touched(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> Harvest:
    """Tell of a materialization for each day that was touched; only then fail if something was wrong."""
    instrument = enrich_step(context, facility, harvest)
    with facility.sessions() as session:
        standing = standing_of(session, instrument, harvest.report.days)
    for day in sorted(standing):
        context.log_event(
            dg.AssetMaterialization(
                asset_key(harvest.slug),
                partition=day.isoformat(),
                metadata=day_metadata(harvest.report, day, standing[day]),
            )
        )
    if failure := summed_up(harvest.alarm, harvest.report.troubles):
        raise failure
    return harvest


@dg.op(description="Read a share of the archived files again at the source.", out=dg.Out(dg.Nothing))
def rehash_sampled(context: dg.OpExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest) -> None:
    """Nothing waits for this any more: the harvest is done, and was told of."""
    with errors_as_failures():
        report = rehash(facility, instrument_called(facility, harvest.slug))
    context.log.info(report.sentence())
    for path in report.changed:
        context.log.warning(
            printable(f"{path} has another content, though size and mtime are the same: it settles anew")
        )


@dg.job(
    name=JOB_NAME,
    description="Harvest one instrument: discover what is on its share, then archive everything pending.",
    tags=RUN_RETRY_TAGS,
)
def harvest_job() -> None:
    """discover → filter → transfer → enrich → rehash."""
    harvested = enrich_touched.alias("enrich")(transfer(filter_pending.alias("filter")(discover())))
    rehash_sampled.alias("rehash")(harvested)
