"""The entry point of the code location: what Dagster loads, made from the catalog's rows as they are at that moment.

A change of rows takes effect when the location is reloaded.
"""

from collections.abc import Sequence

import dagster as dg
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import joinedload

from streamweave.alerts.channels import Channels
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import Instrument, Schedule
from streamweave.errors import StartError
from streamweave.facility import Facility
from streamweave.garbage import reduce_gc
from streamweave_dagster.checks import instrument_checks
from streamweave_dagster.harvest import harvest_job, instrument_asset
from streamweave_dagster.lost_runs import lost_runs_sensor
from streamweave_dagster.maintenance import alerts_sensor, check_job, nightly_check, nightly_sweep, sweep_job
from streamweave_dagster.resources import (
    CHANNELS,
    FACILITY,
    IO_MANAGER,
    HeldInMemory,
    leased,
    the_channels,
    the_facility,
)
from streamweave_dagster.schedules import harvest_schedule
from streamweave_dagster.sensors import new_files_sensor


@dg.definitions
def code_location() -> dg.Definitions:
    """Everything that the catalog's rows ask for.

    Raises ``StartError`` when there is no catalog, or alerts can't be sent as the settings say.
    """
    reduce_gc()
    return definitions_of(the_facility(), the_channels())


def definitions_of(facility: Facility, channels: Channels | None = None) -> dg.Definitions:
    """The definitions for the instruments and schedules of ``facility``, whose people are told over ``channels``.

    Raises ``StartError``.
    """
    instruments, schedules = _rows(facility)
    return dg.Definitions(
        assets=[instrument_asset(instrument) for instrument in instruments],
        asset_checks=[check for instrument in instruments for check in instrument_checks(instrument)],
        sensors=[alerts_sensor, lost_runs_sensor, *map(new_files_sensor, instruments)],
        schedules=[nightly_check, nightly_sweep, *map(harvest_schedule, schedules)],
        jobs=[harvest_job, check_job, sweep_job],
        resources={FACILITY: leased(facility), CHANNELS: channels or Channels(), IO_MANAGER: HeldInMemory()},
        # a harvest's parallelism is inside its transfer: further processes would only cost their start
        executor=dg.in_process_executor,
    )


def _rows(facility: Facility) -> tuple[Sequence[Instrument], Sequence[Schedule]]:
    try:
        with facility.sessions() as session:
            instruments = session.scalars(listing(Instrument).order_by(Instrument.created_at, Instrument.id)).all()
            schedules = session.scalars(
                listing(Schedule)
                .where(Schedule.enabled)
                .options(joinedload(Schedule.instrument), joinedload(Schedule.default_storage_location))
                .order_by(Schedule.created_at, Schedule.id)
            ).all()
    except OperationalError as error:
        raise StartError(f"the catalog at STREAMWEAVE_DATABASE_URL does not answer: {error.orig}") from error
    except ProgrammingError as error:
        raise StartError("the database at STREAMWEAVE_DATABASE_URL holds no catalog of this version") from error
    return instruments, schedules
