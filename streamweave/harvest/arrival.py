"""Arrival: copies that were proven get their final names, durably, and go on record: one batch at a time."""

import uuid
from collections.abc import Mapping, Sequence

from streamweave.catalog.tables import Instrument
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.harvest.cataloguing import Archived, Failed, Holder, Result, Unchanged, catalogue, holders
from streamweave.harvest.copying import Copied, NotCopied, content_differs
from streamweave.harvest.naming import destination_path
from streamweave.harvest.publication import publish
from streamweave.harvest.report import FileOutcome
from streamweave.storage.base import Storage


def take_in(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    finished: Sequence[Copied | NotCopied],
    storages: Mapping[uuid.UUID, Storage],
) -> tuple[list[Result], list[FileOutcome]]:
    """Publish a batch, make it durable, catalogue it: in this order, so that nothing on record can still be lost."""
    copied = [each for each in finished if isinstance(each, Copied)]
    with facility.sessions() as session:
        known = holders(session, {each.claim.file_id for each in copied})
    alike, results = _of_one_content(copied, storages, known)
    planned = [_plan(each, instrument, storages[each.claim.storage_location_id], known) for each in alike]
    results += [Failed(each.claim, each.error) for each in finished if isinstance(each, NotCopied)]
    results += [each for each in planned if not isinstance(each, Archived)]
    for location_id, storage in storages.items():
        here = [each for each in planned if isinstance(each, Archived) if each.claim.storage_location_id == location_id]
        results += _place(storage, here)
    return results, catalogue(facility, instrument, run_id, results)


def _of_one_content(
    copied: Sequence[Copied], storages: Mapping[uuid.UUID, Storage], known: Mapping[tuple[uuid.UUID, str], Holder]
) -> tuple[list[Copied], list[Result]]:
    """The copies but for those of a version whose other copies, or whose record, hold another content.

    A file that changed unseen between the copies to two storage locations is no one version.
    """
    contents = {holder.version_id: sha256 for (_, sha256), holder in known.items()}
    alike: list[Copied] = []
    failed: list[Result] = []
    for each in copied:
        if contents.setdefault(each.claim.version_id, each.digest.sha256) == each.digest.sha256:
            alike.append(each)
        else:
            failed.append(_refused(each, storages[each.claim.storage_location_id]))
    return alike, failed


def _refused(copied: Copied, storage: Storage) -> Failed:
    try:
        storage.discard(copied.claim.staged_name)
    except StorageError as error:
        return Failed(copied.claim, error)
    return Failed(copied.claim, content_differs(copied.claim))


def _plan(
    copied: Copied, instrument: Instrument, storage: Storage, known: Mapping[tuple[uuid.UUID, str], Holder]
) -> Result:
    """What a copy is to become: the claimed version, or a further copy of an earlier one that has this content."""
    claim, digest = copied.claim, copied.digest
    own = Holder(claim.version_id, 0, frozenset())
    holder = known.get((claim.file_id, digest.sha256), own)
    path = claim.destination_path
    if holder.version_id != claim.version_id:
        path = destination_path(instrument.archive_folder, claim.source_path, holder.number)
    if claim.storage_location_id not in holder.locations:
        return Archived(claim, digest, holder.version_id, path, storage.address(path))
    try:
        storage.discard(claim.staged_name)
        return Unchanged(claim, digest)
    except StorageError as error:
        return Failed(claim, error)


def _place(storage: Storage, planned: Sequence[Archived]) -> list[Result]:
    """Publish into one storage location, and make what was published durable."""
    failed = publish(
        storage,
        {each.claim.staged_name: each.destination_path for each in planned},
        {each.claim.staged_name: each.digest for each in planned},
    )
    refused = [Failed(each.claim, failed[name]) for each in planned if (name := each.claim.staged_name) in failed]
    placed = [each for each in planned if each.claim.staged_name not in failed]
    try:
        storage.make_durable([each.destination_path for each in placed])
    except StorageError as error:
        return [*refused, *(Failed(each.claim, error) for each in placed)]
    return [*refused, *placed]
