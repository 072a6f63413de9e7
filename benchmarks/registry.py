"""Every benchmark by its name: a function from a `Setting` to a `Report`."""

from collections.abc import Callable, Mapping

from benchmarks import certificate, resets
from benchmarks.catalog_side import run_catalog, run_rescan
from benchmarks.dagster_run import benchmark as dagster_run
from benchmarks.listing import benchmark as listing
from benchmarks.report import Report
from benchmarks.setting import Setting
from benchmarks.transfer import benchmark as transfer

Benchmark = Callable[[Setting], Report]

BENCHMARKS: Mapping[str, Benchmark] = {
    "transfer": transfer.run,
    "listing": listing.run,
    "dagster": dagster_run.run,
    "rescan": run_rescan,
    "catalog": run_catalog,
    "resets": resets.run,
    "certificate": certificate.run,
}
