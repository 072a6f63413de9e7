"""The nightly sweep: every storage location that holds copies, side by side, so that none waits for a slow one.

The first one after an upgrade also notes in a journal what was archived before there were journals.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import StorageLocation, Transfer, TransferStatus
from streamweave.facility import Facility
from streamweave.fixity.report import SweepReport
from streamweave.fixity.sweeping import BatchListener, sweep_tonight
from streamweave.journal.keeping import complete_journal

LOCATIONS_AT_ONCE = 4


def locations_with_copies(session: Session) -> Sequence[StorageLocation]:
    """The locations that hold copies, disabled ones too."""
    copies = select(Transfer.id).where(
        Transfer.storage_location_id == StorageLocation.id, Transfer.status == TransferStatus.COMPLETED
    )
    return session.scalars(select(StorageLocation).where(copies.exists()).order_by(StorageLocation.name)).all()


def sweep_archive(
    facility: Facility,
    *,
    dagster_run_id: str | None = None,
    on_batch: BatchListener = lambda report, batch: None,
    on_location: Callable[[SweepReport], None] = lambda report: None,
) -> list[SweepReport]:
    """Sweep all locations; returns what became of each. ``on_batch`` is called from several threads.

    A fault of our own in one of them is raised when the others are done.
    """
    with facility.sessions() as session:
        locations = locations_with_copies(session)

    def sweep(location: StorageLocation) -> SweepReport:
        complete_journal(facility, location)
        report = sweep_tonight(facility, location, dagster_run_id=dagster_run_id, on_batch=on_batch)
        on_location(report)
        return report

    with ThreadPoolExecutor(LOCATIONS_AT_ONCE, thread_name_prefix="sweep") as threads:
        under_way = [threads.submit(sweep, location) for location in locations]
    return [each.result() for each in under_way]
