"""Commit: proven, staged copies get their final names, durably, and go on record, one batch at a time.

Nothing that exists under a final name is ever overwritten.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from streamweave.catalog.tables import Instrument
from streamweave.errors import DestinationOccupied, PathUnusable, StorageError, StorageRefused
from streamweave.facility import Facility
from streamweave.harvest.catalogue import ContentOwner, catalogue, content_owners
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import Copied, Digest, Finished, NotCopied, digest_of, other_content
from streamweave.harvest.report import FileOutcome
from streamweave.harvest.version_state import Archived, Failed, Result, Unchanged, journal_entry
from streamweave.journal.keeping import JournalKeeper
from streamweave.storage.archive_paths import destination_path, next_path
from streamweave.storage.base import Storage

NUMBERED_NAMES = 16
"""So many numbered names are tried for one file before the last resort."""

Outcome = str | StorageError


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a batch.

    ``results`` has every claim, ``refused`` those whose copy the storage did not accept; ``outcomes`` are of the claims
    that this run still held.
    """

    results: Sequence[Result]
    refused: Sequence[Failed]
    outcomes: Sequence[FileOutcome]


def commit_batch(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    finished: Finished,
    storages: Mapping[uuid.UUID, Storage],
    journals: JournalKeeper,
) -> Committed:
    """Publish a batch, make it durable, note it in the archive's journal, catalogue it.

    In this order, nothing on record can still be lost, and what was archived is known without a catalog.
    """
    copied = [each for each in finished if isinstance(each, Copied)]
    with facility.sessions() as session:
        known = content_owners(session, {each.claim.file_id for each in copied})
    finished = _of_one_content(finished, {owner.version_id: sha256 for (_, sha256), owner in known.items()}, storages)
    copied = [each for each in finished if isinstance(each, Copied)]
    planned = [_plan(each, instrument, storages[each.claim.storage_location_id], known) for each in copied]
    results: list[Result] = [each for each in planned if not isinstance(each, Archived)]
    for location_id, storage in storages.items():
        here = [each for each in planned if isinstance(each, Archived) if each.claim.storage_location_id == location_id]
        results += place(storage, here, journals, facility.now)
    refused = [each for each in results if isinstance(each, Failed)]
    results += [Failed(each.claim, each.error) for each in finished if isinstance(each, NotCopied)]
    return Committed(results, refused, catalogue(facility, instrument, run_id, results, journals))


def _of_one_content(
    finished: Finished, contents: dict[uuid.UUID, str], storages: Mapping[uuid.UUID, Storage]
) -> list[Copied | NotCopied]:
    """The batch, in which a further content of one version counts as not copied: the first content stays.

    A source can be exchanged between two copies of it without a change of size and mtime.
    """
    agreed: list[Copied | NotCopied] = []
    for each in finished:
        if isinstance(each, Copied):
            sha256 = contents.setdefault(each.claim.version_id, each.digest.sha256)
            if sha256 != each.digest.sha256:
                each = _discarded(each.claim, storages[each.claim.storage_location_id])
        agreed.append(each)
    return agreed


def _discarded(claim: Claim, storage: Storage) -> NotCopied:
    try:
        storage.discard(claim.staged_name)
        return NotCopied(claim, other_content(claim))
    except StorageError as error:
        return NotCopied(claim, error)


def _plan(
    copied: Copied, instrument: Instrument, storage: Storage, known: Mapping[tuple[uuid.UUID, str], ContentOwner]
) -> Result:
    """What a copy becomes: the claimed version, or a further copy of an earlier one that has this content."""
    claim, digest = copied.claim, copied.digest
    own = ContentOwner(claim.version_id, claim.number, claim.mtime, claim.is_unfinished)
    owner = known.get((claim.file_id, digest.sha256), own)
    path, damaged = claim.destination_path, owner.damaged[claim.storage_location_id]
    if owner.version_id != claim.version_id:
        path = destination_path(instrument.archive_folder, claim.source_path, owner.number, damaged)
    if claim.storage_location_id not in owner.locations:
        return Archived(
            claim,
            digest,
            owner.version_id,
            path,
            storage.address(path),
            owner.number,
            owner.source_mtime,
            damaged,
            owner.is_unfinished,
        )
    try:
        storage.discard(claim.staged_name)
        return Unchanged(claim, digest)
    except StorageError as error:
        return Failed(claim, error)


def place(
    storage: Storage, planned: Sequence[Archived], journals: JournalKeeper, now: Callable[[], datetime]
) -> list[Archived | Failed]:
    """Publish into one storage location, make what was published durable, and note it in the location's journal.

    The results have the final paths.
    """
    outcomes = publish(
        storage,
        {each.claim.staged_name: each.destination_path for each in planned},
        {each.claim.staged_name: each.digest for each in planned},
    )
    refused: list[Failed] = []
    placed: list[Archived] = []
    for each in planned:
        path = outcomes[each.claim.staged_name]
        if isinstance(path, StorageError):
            refused.append(Failed(each.claim, path))
        elif path == each.destination_path:
            placed.append(each)
        else:
            placed.append(replace(each, destination_path=path, address=storage.address(path)))
    try:
        storage.make_durable([each.destination_path for each in placed])
        if placed:
            location_id, noted_at = placed[0].claim.storage_location_id, now()  # never before a copy's own mtime
            entries = [journal_entry(each, journals.instrument_id, noted_at) for each in placed]
            journals.note(storage, location_id, entries)
    except StorageError as error:
        return [*refused, *(Failed(each.claim, error) for each in placed)]
    return [*refused, *placed]


def publish(storage: Storage, paths: Mapping[str, str], digests: Mapping[str, Digest]) -> dict[str, Outcome]:
    """Give staged copies their final names; returns the paths that they got, or what went wrong, by staged names.

    ``paths`` are the wanted ones. A run that crashed between publishing and cataloguing leaves the same bytes under the
    same name: they are read again, and taken over if they are equal. Where a path can't be used otherwise,
    ``archive_paths.next_path`` gives the next one. What can't get any name is dropped from the staging area.
    """
    outcomes: dict[str, Outcome] = {}
    trying = dict(paths)
    tries = 0
    while trying:
        failed = storage.publish_many(trying)
        outcomes |= {name: path for name, path in trying.items() if name not in failed}
        following: dict[str, str] = {}
        for name, error in failed.items():
            try:
                if _is_taken_over(storage, name, trying[name], digests[name], error):
                    outcomes[name] = trying[name]
                elif another := _another(paths[name], trying[name], error, tries):
                    following[name] = another
                else:
                    outcomes[name] = _given_up(storage, name, error)
            except StorageError as failure:
                outcomes[name] = failure
        trying = following
        tries += 1
    return outcomes


def _is_taken_over(storage: Storage, staged_name: str, path: str, digest: Digest, error: StorageError) -> bool:
    """Whether the bytes that were staged have the final name already; the staged copy is dropped then."""
    if not isinstance(error, DestinationOccupied):
        return False
    try:
        found = digest_of(storage.read(path, length=digest.size_bytes + 1))
    except StorageRefused:  # it is no file
        return False
    if found == digest:
        storage.discard(staged_name)
    return found == digest


def _another(wanted: str, path: str, error: StorageError, tries: int) -> str | None:
    if not isinstance(error, PathUnusable):
        return None
    return next_path(wanted, path, error.part if tries < NUMBERED_NAMES else None)


def _given_up(storage: Storage, staged_name: str, error: StorageError) -> StorageError:
    """The error to record. A storage that refuses even the last resort is out of order itself."""
    if not isinstance(error, PathUnusable):
        return error
    storage.discard(staged_name)
    return error if error.part is not None else StorageRefused(str(error))
