"""One asset for each instrument: its archived files, a partition for each acquisition day.

Materializing a partition harvests that day; a range of partitions is one run.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from streamweave.catalog.tables import Instrument
from streamweave.facility import Facility
from streamweave.instruments.dagster import harvest_run_tags
from streamweave_dagster.failures import RETRY_TRANSIENT, RUN_RETRY_TAGS, summed_up
from streamweave_dagster.instruments.partitions import acquisition_days
from streamweave_dagster.materializations import NOTHING_DONE, day_metadata
from streamweave_dagster.standing import standing_of
from streamweave_dagster.steps import Context, Harvest, enrich_step, filter_step, look, transfer

GROUP = "instruments"
SENSOR_TAG = "dagster/sensor_name"


def asset_key(slug: str) -> dg.AssetKey:
    """What the archive of the instrument ``slug`` is called."""
    return dg.AssetKey([GROUP, slug])


def instrument_asset(instrument: Instrument) -> dg.AssetsDefinition:
    """The asset of one instrument, whose ops read the instrument's row anew."""
    slug = instrument.slug

    @dg.op(
        name=f"filter_{slug}",
        description="Let the hooks decide on settled files, and plan transfers. Looks at the share first, "
        "unless the sensor that requested the run has just done so.",
        retry_policy=RETRY_TRANSIENT,
    )
    def filter_of_instrument(context: dg.AssetExecutionContext, facility: dg.ResourceParam[Facility]) -> Harvest:
        harvest = Harvest(slug, tuple(map(date.fromisoformat, context.partition_keys)))
        _tag_own_run(context, slug)
        if SENSOR_TAG not in context.run.tags:
            look(context, facility, harvest)
        return filter_step(context, facility, harvest)

    @dg.graph_asset(
        key=asset_key(slug),
        group_name=GROUP,
        description=_description(instrument),
        partitions_def=acquisition_days(instrument),
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"smb"},
    )
    def archive() -> object:
        return enrich_days.alias("enrich")(transfer(filter_of_instrument.alias("filter")()))

    return archive


@dg.op(description="Let the hooks tell more about archived files, and show what was done.", out=dg.Out(dg.Nothing))
def enrich_days(
    context: dg.AssetExecutionContext, facility: dg.ResourceParam[Facility], harvest: Harvest
) -> Iterator[dg.Output[None]]:
    """Materialize the days, each with what was done for it; only then fail if something was wrong."""
    instrument = enrich_step(context, facility, harvest)
    days = harvest.days or ()
    with facility.sessions() as session:
        standing = standing_of(session, instrument, days)
    context.add_asset_metadata(NOTHING_DONE)
    for day in days:
        if day in harvest.report.days or standing[day].counts:
            context.add_asset_metadata(day_metadata(harvest.report, day, standing[day]), partition_key=day.isoformat())
    yield dg.Output(None)
    if failure := summed_up(harvest.alarm, harvest.report.troubles):
        raise failure


def _tag_own_run(context: Context, slug: str) -> None:
    """Let the queue and the sensor see which instrument this run harvests: one started from the UI doesn't say."""
    context.instance.add_run_tags(context.run.run_id, {**harvest_run_tags(slug), **RUN_RETRY_TAGS})


def _description(instrument: Instrument) -> str:
    about = f"{instrument.description}\n\n" if instrument.description else ""
    origin = f"**{instrument.name}** from `//{instrument.cifs_host}/{instrument.cifs_share}`"
    return f"{about}The archived files of {origin}, by acquisition day ({instrument.timezone})."
