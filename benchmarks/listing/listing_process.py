"""The process that lists: ``python -m benchmarks.listing.listing_process RESULT``.

It finds in its environment, under `ADDRESS`, the fields of the share's ``SmbAddress`` as JSON.
"""

import json
import os
import sys
from contextlib import closing
from pathlib import Path

from benchmarks.measured import Measured
from streamweave.sources.base import Source
from streamweave.sources.smb import SmbAddress, SmbSource

ADDRESS = "BENCHMARK_SMB_ADDRESS"
WHOLE = "listing"


def measure_listing(source: Source) -> Measured:
    """Connect, and list everything. A folder that can't be listed is an error here."""
    measured = Measured(counts={"files": 0, "folders": 0, "bytes": 0})
    with measured.phase(WHOLE):
        for listing in source.listings():
            if listing.problem is not None:
                raise listing.problem
            measured.counts["folders"] += 1
            measured.counts["files"] += len(listing.files)
            measured.counts["bytes"] += sum(file.size_bytes for file in listing.files)
    return measured


def main(result: str) -> None:
    """List the share, and write down what it took."""
    with closing(SmbSource(SmbAddress(**json.loads(os.environ[ADDRESS])))) as source:
        measure_listing(source).hand_over(Path(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
