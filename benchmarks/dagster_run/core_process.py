"""The process that harvests without Dagster: ``python -m benchmarks.dagster_run.core_process SLUG RESULT``."""

import sys
from contextlib import closing
from pathlib import Path

from benchmarks.measured import Measured
from benchmarks.site import instrument_of
from streamweave.catalog.tables import VersionState
from streamweave.facility import facility_of
from streamweave.garbage import reduce_gc
from streamweave.harvest.run import harvest
from streamweave.settings import Settings

WHOLE = "harvest"


def main(slug: str, result: str) -> None:
    """Harvest an instrument, its quiet period waited out as in a run, and write down what it took."""
    reduce_gc()
    measured = Measured()
    with closing(facility_of(Settings())) as facility:
        instrument = instrument_of(facility, slug)
        with measured.phase(WHOLE):
            report = harvest(facility, instrument)
    if report.troubles:
        raise report.troubles[0]
    measured.counts["files"] = report.counts[VersionState.ARCHIVED]
    measured.hand_over(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
