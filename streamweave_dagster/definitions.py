"""The entry point of the code location: what Dagster loads, made from the catalog's rows as they are at that moment.

A change of rows takes effect when the location is reloaded.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import joinedload

from streamweave.alerts.channels import Channels, channels_of
from streamweave.catalog.deletion import listing
from streamweave.catalog.leases import run_lease
from streamweave.catalog.tables import Instrument, Schedule
from streamweave.errors import StartError
from streamweave.facility import Facility, facility_of
from streamweave.garbage import reduce_gc
from streamweave.settings import Settings
from streamweave_dagster.checks import instrument_checks
from streamweave_dagster.harvest import harvest_job, harvest_schedule, instrument_asset
from streamweave_dagster.lost_runs import lost_runs_sensor
from streamweave_dagster.maintenance import alerts_sensor, check_job, nightly_check, nightly_sweep, sweep_job
from streamweave_dagster.sensors import new_files_sensor


@dg.definitions
def code_location() -> dg.Definitions:
    """Everything that the catalog's rows ask for.

    Raises ``StartError`` when there is no catalog, or alerts can't be sent as the settings say.
    """
    reduce_gc()
    return definitions_of(the_facility(), channels_of(Settings()))


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
        # ops, sensors and checks ask for them by parameters of these names; `io_manager` is Dagster's default one
        resources={"facility": leased(facility), "channels": channels or Channels(), "io_manager": HeldInMemory()},
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


@functools.cache
def the_facility() -> Facility:
    """The facility that the environment describes, once for each process.

    Raises ``StartError`` without a catalog and ``SealBroken`` without a key.
    """
    return facility_of(Settings())


def leased(facility: Facility) -> dg.ResourceDefinition:
    """``facility`` as a resource. Within a run, whoever works with it holds the run's lease.

    Dagster makes a resource before a run's first op and lets go of it after the last, whatever came of them: so no op
    of ours can forget the lease, and none is too long for it. Sensors get the facility alone.
    """

    @dg.resource(description="What harvests work with. Within a run it holds the run's lease.")
    def facility_within_lease(context: dg.InitResourceContext) -> Iterator[Facility]:
        if context.run is None:
            yield facility
        else:
            with run_lease(facility.sessions, context.run.run_id):
                yield facility

    return facility_within_lease


class HeldInMemory(dg.IOManager):
    """Hands values from op to op within one process: files would stay behind after each run, and nobody sweeps them."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], Any] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Keep a value until the process ends, which is when its run ends."""
        self._held[tuple(context.get_identifier())] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        """The value again; a ``Failure`` when it was another process's, as in a re-execution from the failed step."""
        output = context.upstream_output
        key = tuple(output.get_identifier()) if output else ()
        if key not in self._held:
            raise dg.Failure(
                "what the earlier steps found is gone with their run: re-execute all steps", allow_retries=False
            )
        return self._held[key]
