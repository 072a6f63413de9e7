"""Glances: whether each copy of a location stands there and is as long as it was. Nothing goes on record."""

from collections.abc import Iterator, Sequence

from streamweave.catalog.tables import StorageLocation
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.fixity.doubts import Rereader
from streamweave.fixity.progress import VerificationProgress
from streamweave.fixity.report import SweepReport
from streamweave.fixity.rereading import ArchivedCopy, read_the_end
from streamweave.fixity.sweeping import BATCH_FILES
from streamweave.fixity.turns import copies_by_id, other_copies


def look_at_all(facility: Facility, location: StorageLocation, progress: VerificationProgress) -> SweepReport:
    """Look at every copy, by the ends of the files alone."""
    report = SweepReport(location.name)

    def others(than: Sequence[ArchivedCopy], limit: int) -> list[ArchivedCopy]:
        with facility.sessions() as session:
            return other_copies(session, location.id, than, limit)

    try:
        storage = facility.open_marked(location)
        rereader = Rereader(storage, read_the_end, others, facility.wait)
        for batch in _batches(facility, location):
            for finding in rereader.reread(batch):
                report.add(finding, storage)
            progress.batch(report, batch)
    except StorageError as error:
        report.trouble = error
    return report


def _batches(facility: Facility, location: StorageLocation) -> Iterator[list[ArchivedCopy]]:
    after = None
    while True:
        with facility.sessions() as session:
            batch = copies_by_id(session, location.id, after, BATCH_FILES)
        if not batch:
            return
        yield batch
        after = batch[-1].transfer_id
