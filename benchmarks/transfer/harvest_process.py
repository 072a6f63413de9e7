"""The process that harvests: ``python -m benchmarks.transfer.harvest_process RESULT``.

It finds catalog and keys in its environment, as every process of StreamWeave does, and takes the steps of a harvest as
``streamweave.harvest.run`` and the Dagster job do, so that each can be measured.
"""

import sys
from contextlib import closing
from pathlib import Path

from benchmarks.measured import Measured
from benchmarks.site import instrument_of
from streamweave.catalog.leases import harvest_run
from streamweave.catalog.tables import Instrument, VersionState
from streamweave.facility import Facility, facility_of
from streamweave.harvest.enrich import enrich_files
from streamweave.harvest.plan import filter_files
from streamweave.harvest.run import note_harvested, scan
from streamweave.harvest.transfer import transfer_files
from streamweave.settings import Settings

WHOLE = "harvest"
PHASES = ("look", "filter", "transfer", "enrich")


def measure_harvest(facility: Facility, instrument: Instrument) -> Measured:
    """Harvest everything, without waiting out a quiet period: that is a wait, not work."""
    instrument.quiet_period_seconds = 0
    measured = Measured()
    with measured.phase(WHOLE):
        with measured.phase("look"):
            scan(facility, instrument)
        with harvest_run(facility.sessions, instrument.id) as run_id:
            with measured.phase("filter"):
                report = filter_files(facility, instrument)
            with measured.phase("transfer"):
                report.include(transfer_files(facility, instrument, run_id))
        with measured.phase("enrich"):
            enrich_files(facility, instrument)
        note_harvested(facility, instrument)
    if report.troubles:
        raise report.troubles[0]
    measured.counts = {"files": report.counts[VersionState.ARCHIVED], "bytes": report.bytes}
    return measured


def main(result: str) -> None:
    """Harvest the instrument that the benchmark has entered, and write down what it took."""
    with closing(facility_of(Settings())) as facility:
        measure_harvest(facility, instrument_of(facility)).hand_over(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
