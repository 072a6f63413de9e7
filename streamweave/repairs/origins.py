"""Origins: where the content of a damaged copy may still be. The share is asked first, then the other locations."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.leases import is_dead
from streamweave.catalog.tables import HarvestRun, Instrument, StorageLocation, Transfer, TransferStatus
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim
from streamweave.harvest.rate_limit import closed_until, limits_of
from streamweave.repairs.claims import as_seen_at_the_source
from streamweave.repairs.stored_copies import StoredCopy
from streamweave.repairs.wanted import Repair
from streamweave.sources.base import FileOpener, Source


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that may still have the content. ``reads`` opens it; ``is_share`` says that its limits are to be kept.

    ``claim_for`` turns a claim into what a copy from here must show.
    """

    name: str
    reads: Callable[[Claim], FileOpener]
    is_share: bool = False
    claim_for: Callable[[Claim], Claim] = lambda claim: claim


def share_refusal(session: Session, facility: Facility, instrument: Instrument, run_id: uuid.UUID) -> str:
    """Why the share may not be read from at present; empty if it may."""
    if instrument.is_deleted or not instrument.enabled:
        return "its instrument is out of use"
    opening = limits_of(instrument).opens_at(facility.now())
    if opening is not None:
        return closed_until(opening)
    others = select(HarvestRun.id).where(HarvestRun.instrument_id == instrument.id, HarvestRun.id != run_id, ~is_dead())
    return "its instrument is being harvested" if session.scalar(select(others.exists())) else ""


def share_origin(repair: Repair, open_share: Callable[[], Source]) -> Iterator[Origin]:
    """The share, if it should still have the content."""
    if repair.mtime_at_source is not None:
        seen = partial(as_seen_at_the_source, mtime=repair.mtime_at_source)
        yield Origin("the share", lambda claim: open_share(), is_share=True, claim_for=seen)


def stored_origins(session: Session, facility: Facility, repair: Repair) -> Iterator[Origin]:
    """The copies of the version in other locations that are not known to be damaged."""
    rows = session.execute(
        select(StorageLocation, Transfer.destination_path)
        .join(Transfer, Transfer.storage_location_id == StorageLocation.id)
        .where(
            Transfer.version_id == repair.version_id,
            Transfer.storage_location_id != repair.storage_location_id,
            Transfer.status == TransferStatus.COMPLETED,
            Transfer.damage.is_(None),
        )
        .order_by(StorageLocation.name)
    )
    for location, path in rows.all():
        try:
            storage = facility.open_marked(location)
        except StorageError:  # what can't be opened, or is another place, is no origin; its refusal is on record
            continue
        yield Origin(location.name, partial(StoredCopy, storage, path or ""))
