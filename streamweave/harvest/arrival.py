"""Arrival: copies that workers finished get their final names, durably, and go on record: one batch at a time."""

import uuid
from collections.abc import Mapping, Sequence

from streamweave.catalog.tables import Instrument
from streamweave.errors import StorageError, StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.cataloguing import Archived, Failed, Holder, Result, Unchanged, catalogue, holders
from streamweave.harvest.naming import destination_path
from streamweave.harvest.publication import publish
from streamweave.harvest.report import FileOutcome
from streamweave.harvest.workers import Copied, NotCopied
from streamweave.storage.base import Storage


def take_in(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    finished: Sequence[Copied | NotCopied],
    storages: Mapping[uuid.UUID, Storage],
) -> tuple[list[Result], list[FileOutcome]]:
    """Publish a batch, make it durable, catalogue it: in this order, so that nothing on record can still be lost."""
    with facility.sessions() as session:
        known = holders(session, {each.claim.file_id for each in finished})
    results = [_place(each, instrument, storages, known) for each in finished]
    results = _make_durable(results, storages)
    return results, catalogue(facility, instrument, run_id, results)


def _place(
    finished: Copied | NotCopied,
    instrument: Instrument,
    storages: Mapping[uuid.UUID, Storage],
    known: Mapping[tuple[uuid.UUID, str], Holder],
) -> Result:
    """Publish a copy: as the claimed version, or as a further copy of an earlier one that has this content."""
    claim = finished.claim
    if isinstance(finished, NotCopied):
        return Failed(claim, finished.error)
    storage = storages[claim.storage_location_id]
    digest = finished.digest
    own = Holder(claim.version_id, 0, frozenset())
    holder = known.get((claim.file_id, digest.sha256), own)
    path = claim.destination_path
    if holder.version_id != claim.version_id:
        path = destination_path(instrument.archive_folder, claim.source_path, holder.number)
    try:
        if claim.storage_location_id in holder.locations:
            storage.discard(claim.staged_name)
            return Unchanged(claim, digest)
        publish(storage, claim.staged_name, path, digest)
        return Archived(claim, digest, holder.version_id, path, storage.address(path))
    except StorageError as error:
        return Failed(claim, error)


def _make_durable(results: Sequence[Result], storages: Mapping[uuid.UUID, Storage]) -> list[Result]:
    lost: dict[uuid.UUID, StreamWeaveError] = {}
    for location_id, storage in storages.items():
        paths = [
            result.destination_path
            for result in results
            if isinstance(result, Archived) and result.claim.storage_location_id == location_id
        ]
        try:
            storage.make_durable(paths)
        except StorageError as error:
            lost[location_id] = error
    return [
        Failed(result.claim, lost[result.claim.storage_location_id])
        if isinstance(result, Archived) and result.claim.storage_location_id in lost
        else result
        for result in results
    ]
