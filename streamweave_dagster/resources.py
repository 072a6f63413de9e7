"""What the definitions need around them: the core's facility, and a way for values from op to op."""

import functools
from collections.abc import Iterator
from typing import Any

import dagster as dg

from streamweave.alerts.channels import Channels, channels_of
from streamweave.catalog.leases import run_lease
from streamweave.facility import Facility, facility_of
from streamweave.settings import Settings

FACILITY = "facility"
"""The resource's name: ops, sensors and checks ask for it by a parameter of this name."""
CHANNELS = "channels"
"""The same, for how people are told of alerts."""
IO_MANAGER = "io_manager"
"""The name under which Dagster looks for the default one."""


@functools.cache
def the_facility() -> Facility:
    """The facility that the environment describes, once for each process.

    Raises ``StartError`` without a catalog and ``SealBroken`` without a key.
    """
    return facility_of(Settings())


def the_channels() -> Channels:
    """The channels that the environment describes. Raises ``StartError``."""
    return channels_of(Settings())


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
