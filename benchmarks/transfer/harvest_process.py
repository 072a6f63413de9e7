"""The process that harvests: ``python -m benchmarks.transfer.harvest_process RESULT``.

It finds catalog and keys in its environment, as every process of StreamWeave does, and takes the steps of a harvest as
``streamweave.harvest.run`` and the Dagster job do, so that each can be measured.
"""

import sys
from contextlib import closing
from pathlib import Path

from benchmarks.measured import Measured
from benchmarks.site import instrument_of
from streamweave.catalog.tables import Instrument, VersionState
from streamweave.facility import Facility, facility_of
from streamweave.garbage import reduce_gc
from streamweave.harvest.run import STEPS, Harvest, Listeners
from streamweave.settings import Settings

WHOLE = "harvest"
PHASES = ("discover", "filter", "transfer", "enrich")


def measure_harvest(facility: Facility, instrument: Instrument) -> Measured:
    """Harvest everything, without waiting out a quiet period: that is a wait, not work. Sources are not read again."""
    instrument.quiet_period_seconds = 0
    measured, harvest = Measured(), Harvest(instrument.slug)
    with measured.phase(WHOLE):
        for phase in PHASES:
            with measured.phase(phase):
                STEPS[phase](facility, instrument, harvest, Listeners())
    report = harvest.report
    if report.troubles:
        raise report.troubles[0]
    measured.counts = {"files": report.counts[VersionState.ARCHIVED], "bytes": report.bytes}
    return measured


def main(result: str) -> None:
    """Harvest the instrument that the benchmark has entered, and write down what it took."""
    reduce_gc()
    with closing(facility_of(Settings())) as facility:
        measure_harvest(facility, instrument_of(facility)).hand_over(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
