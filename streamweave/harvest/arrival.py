"""Arrival: copies that workers finished get their final names, durably, and go on record: one batch at a time."""

import uuid
from collections.abc import Mapping, Sequence

from streamweave.catalog.tables import Instrument
from streamweave.errors import StorageError, StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.cataloguing import Archived, Failed, Result, Unchanged, archived_contents, catalogue
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
        archived = archived_contents(session, {each.claim.file_id for each in finished})
    results = [_publish(each, storages, archived) for each in finished]
    results = _make_durable(results, storages)
    return results, catalogue(facility, instrument, run_id, results)


def _publish(
    finished: Copied | NotCopied,
    storages: Mapping[uuid.UUID, Storage],
    archived: Mapping[tuple[uuid.UUID, str], uuid.UUID],
) -> Result:
    claim = finished.claim
    if isinstance(finished, NotCopied):
        return Failed(claim, finished.error)
    storage = storages[claim.storage_location_id]
    same_content = archived.get((claim.file_id, finished.digest.sha256), claim.version_id)
    try:
        if same_content != claim.version_id:
            storage.discard(claim.staged_name)
            return Unchanged(claim, finished.digest)
        publish(storage, claim, finished.digest)
        return Archived(claim, finished.digest, storage.address(claim.destination_path))
    except StorageError as error:
        return Failed(claim, error)


def _make_durable(results: Sequence[Result], storages: Mapping[uuid.UUID, Storage]) -> list[Result]:
    lost: dict[uuid.UUID, StreamWeaveError] = {}
    for location_id, storage in storages.items():
        paths = [
            result.claim.destination_path
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
