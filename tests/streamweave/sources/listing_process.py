"""A process that lists a share and tells by how much its memory grew: ``listing_process.py ADDRESS-IN-JSON MOST``."""

import json
import resource
import sys
from datetime import UTC, datetime
from itertools import islice

from streamweave.harvest.scan_record import ScanCheckpoint
from streamweave.sources.base import ListingLimits
from streamweave.sources.smb import SmbAddress, SmbSource


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(address: str, most_listings: str) -> None:
    told = json.loads(address)
    source = SmbSource(SmbAddress(**{**told, "limits": ListingLimits(**told["limits"])}))
    checkpoint, files = ScanCheckpoint(datetime.now(UTC)), 0
    before = peak_bytes()
    for listing in islice(source.listings(), int(most_listings)):
        files += len(listing.files)
        if listing.problem:
            checkpoint.take_unlisted(listing.folder, str(listing.problem))
        else:
            checkpoint.take(listing.folder, len(listing.files), is_leaf=not listing.folders)
    first = dict(islice(checkpoint.unlistable_folders.items(), 5))
    print(json.dumps({"grown": peak_bytes() - before, "files": files, "unlisted": checkpoint.unlisted, "first": first}))


if __name__ == "__main__":
    main(*sys.argv[1:])
