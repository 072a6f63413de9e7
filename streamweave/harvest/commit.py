"""Commit: proven, staged copies get their final names, durably, and go on record, one batch at a time.

Nothing that exists under a final name is ever overwritten. The proof of a copy, or its failure and what follows, is
catalogued in one short transaction. Only claims that this run still holds are written: those of a run whose lease has
ended may be another run's now.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, select, update
from sqlalchemy.orm import Session, aliased

from streamweave.catalog.bulk import checked, insert_many, is_one_of, update_those
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    LIVE,
    ONCE_COMPLETED,
    FileVersion,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import ContentDiffers, DestinationOccupied, PathUnusable, StorageError, StorageRefused
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim, once_copied
from streamweave.harvest.copy_verify import Copied, Digest, Failed, Finished, digest_of, other_content
from streamweave.harvest.progress import FileOutcome
from streamweave.harvest.record_changes import cancel_waiting_transfers, record_other_contents
from streamweave.harvest.version_state import (
    Archived,
    Result,
    Unchanged,
    VersionFields,
    archived,
    concluded,
    consequence_of,
    journal_entry,
    next_attempt,
    outcome_of,
    transfer_after,
    version_after,
    version_fields,
    write_version_fields,
)
from streamweave.journal.keeping import JournalKeeper, note_positions
from streamweave.storage.archive_paths import destination_path, next_path
from streamweave.storage.base import Storage

NUMBERED_NAMES = 16
"""So many numbered names are tried for one file before the last resort."""
OPEN = (TransferStatus.PENDING, TransferStatus.IN_PROGRESS)
ON_THE_WAY = (VersionState.PENDING, VersionState.FAILED)

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


@dataclass(frozen=True, slots=True)
class ContentOwner:
    """The version that holds some content, the storage locations that have it, and how often it was damaged there.

    ``is_unfinished``: the instrument may not have finished that content.
    """

    version_id: uuid.UUID
    number: int
    source_mtime: datetime
    is_unfinished: bool
    locations: set[uuid.UUID] = field(default_factory=set)
    damaged: Counter[uuid.UUID] = field(default_factory=Counter)


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
    results += [each for each in finished if isinstance(each, Failed)]
    return Committed(results, refused, catalogue(facility, instrument, run_id, results, journals))


def _of_one_content(
    finished: Finished, contents: dict[uuid.UUID, str], storages: Mapping[uuid.UUID, Storage]
) -> list[Copied | Failed]:
    """The batch, in which a further content of one version counts as not copied: the first content stays.

    A source can be exchanged between two copies of it without a change of size and mtime.
    """
    agreed: list[Copied | Failed] = []
    for each in finished:
        if isinstance(each, Copied):
            sha256 = contents.setdefault(each.claim.version_id, each.digest.sha256)
            if sha256 != each.digest.sha256:
                each = _discarded(each.claim, storages[each.claim.storage_location_id])
        agreed.append(each)
    return agreed


def _discarded(claim: Claim, storage: Storage) -> Failed:
    try:
        storage.discard(claim.staged_name)
        return Failed(claim, other_content(claim))
    except StorageError as error:
        return Failed(claim, error)


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


def catalogue(
    facility: Facility,
    instrument: Instrument,
    run_id: uuid.UUID,
    results: Sequence[Result],
    journals: JournalKeeper | None = None,
) -> list[FileOutcome]:
    """Write what became of some claims; returns the outcomes of those that this run still held.

    ``journals`` are those in which it was noted. If this run has lost some of the claims, their positions are not
    recorded, and the run continues in new journals: so no line is skipped whose copy may not be in the catalog.
    """
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        now = facility.now()
        corrected = _without_other_contents(session, _without_repaired(session, results))
        mine = _end_transfers(session, run_id, corrected, now)
        if journals is not None:
            _note_positions(session, journals, results, mine)
        _plan_again(session, mine, instrument, now)
        waiting = _waiting_versions(session, _versions_of(mine))
        complete = _archive(session, _complete(mine, waiting), now)
        others = [result for result in mine if result.claim.version_id not in complete]
        after = _move_on(session, others, waiting, instrument, now)
        _number_anew(session, mine)
        record_other_contents(session, instrument, _of_other_content(mine), now)
        ends = {version.id: (version.state, version.reason) for version in after.values()}
        return [outcome_of(each, *ends.get(each.claim.version_id, (VersionState.ARCHIVED, ""))) for each in mine]


def _note_positions(
    session: Session, journals: JournalKeeper, results: Sequence[Result], mine: Sequence[Result]
) -> None:
    noted = {each.claim.claim_id for each in results if isinstance(each, Archived)}
    if noted <= {each.claim.claim_id for each in mine}:
        note_positions(session, journals.positions)
    else:
        journals.begin_anew()


def _of_other_content(results: Sequence[Result]) -> dict[uuid.UUID, str]:
    """The versions whose source has another content than they are archived with, with their paths."""
    failures = [result for result in results if isinstance(result, Failed)]
    return {
        each.claim.version_id: each.claim.source_path for each in failures if isinstance(each.error, ContentDiffers)
    }


def _end_transfers(session: Session, run_id: uuid.UUID, results: Sequence[Result], now: datetime) -> list[Result]:
    """End the transfers of claims that this run holds; returns the results of those."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        ended = transfer_after(result, now)
        alike[tuple(ended)].append(ended)
    is_ours = checked(and_(Transfer.run_id == run_id, Transfer.status == TransferStatus.IN_PROGRESS))
    held = {
        row.claim_id
        for rows in alike.values()
        for row in update_those(session, Transfer, rows, is_ours, Transfer.claim_id, by=("id", "claim_id"))
    }
    return [result for result in results if result.claim.claim_id in held]


def _plan_again(session: Session, results: Sequence[Result], instrument: Instrument, now: datetime) -> None:
    failures = [result for result in results if isinstance(result, Failed)]
    again = [each for each in failures if consequence_of(each, instrument, now).state == VersionState.PENDING]
    insert_many(session, Transfer, [next_attempt(each, instrument, now) for each in again])


def _versions_of(results: Sequence[Result]) -> set[uuid.UUID]:
    owners = {result.owner for result in results if isinstance(result, Archived)}
    return owners | {result.claim.version_id for result in results}


def _waiting_versions(session: Session, version_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the versions that wait for a further transfer, other than the repair of a damaged copy."""
    damaged = aliased(Transfer)
    is_repair = exists().where(
        damaged.version_id == Transfer.version_id,
        damaged.storage_location_id == Transfer.storage_location_id,
        damaged.status == TransferStatus.DAMAGED,
        damaged.damage.is_not(None),  # as all of them; for the index
    )
    is_open = is_one_of(Transfer.version_id, version_ids) & checked(Transfer.status.in_(OPEN))
    found = select(Transfer.version_id).where(is_open, ~is_repair)
    return set(session.connection().execute(found).scalars())


def _complete(results: Sequence[Result], waiting: Collection[uuid.UUID]) -> list[Archived]:
    """The results of versions that are now in all their storage locations, with their own content and no failure."""
    complete: list[Archived] = []
    others = set(waiting)
    for result in results:
        is_own = isinstance(result, Archived) and result.owner == result.claim.version_id
        if isinstance(result, Archived) and is_own and not result.claim.is_unfinished:
            complete.append(result)
        else:
            others.add(result.claim.version_id)
    return [result for result in complete if result.owner not in others]


def _archive(session: Session, results: Sequence[Archived], now: datetime) -> set[uuid.UUID]:
    """Mark pending versions, as nearly all are, as archived without reading them first; returns which were."""
    digests = {each.owner: {"xxhash": each.digest.xxhash, "sha256": each.digest.sha256} for each in results}
    rows = [{"id": version_id, **digest, **archived(now)} for version_id, digest in digests.items()]
    is_pending = checked(FileVersion.state == VersionState.PENDING)
    return {version_id for (version_id,) in update_those(session, FileVersion, rows, is_pending, FileVersion.id)}


def _move_on(
    session: Session,
    results: Sequence[Result],
    waiting: Collection[uuid.UUID],
    instrument: Instrument,
    now: datetime,
) -> dict[uuid.UUID, VersionFields]:
    """Decide the states of all other versions, and write them; returns the fields by the versions' ids."""
    if not results:
        return {}
    before = version_fields(session, {result.claim.version_id for result in results})
    after = {version.id: version for version in before}
    for result in results:
        version_id = result.claim.version_id
        after[version_id] = version_after(result, after[version_id], instrument, now)
    copied = once_copied(session, {result.claim.file_id for result in results})
    for result in results:
        version = after[result.claim.version_id]
        if version.id not in waiting:
            after[version.id] = concluded(result, version, now, has_a_copy=version.id in copied)
    write_version_fields(session, zip(before, after.values(), strict=True))
    left = [version.id for version in after.values() if version.id in waiting and version.state not in ON_THE_WAY]
    cancel_waiting_transfers(session, left, "the file left the way into the archive", now)
    return after


def _number_anew(session: Session, results: Sequence[Result]) -> None:
    """A file that changed after a run had crashed: bytes of its earlier content may have the final name."""
    changed = [each.claim.version_id for each in results if isinstance(each, Failed) and each.claim.was_begun]
    if changed:
        settles_anew = (
            is_one_of(FileVersion.id, changed) & FileVersion.state.in_(WATCHED) & FileVersion.sha256.is_(None)
        )
        session.execute(update(FileVersion).where(settles_anew).values(number=FileVersion.number + 1))


def content_owners(session: Session, file_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], ContentOwner]:
    """The owners of the contents of these files that are archived somewhere, by file and sha256."""
    rows = session.connection().execute(
        select(
            FileVersion.file_id,
            FileVersion.sha256,
            FileVersion.id,
            FileVersion.number,
            FileVersion.source_mtime,
            FileVersion.unfinished.is_not(None),
            Transfer.storage_location_id,
            Transfer.status,
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(
            is_one_of(FileVersion.file_id, file_ids),
            FileVersion.sha256.is_not(None),
            checked(Transfer.status.in_(ONCE_COMPLETED)),
        )
    )
    known: dict[tuple[uuid.UUID, str], ContentOwner] = {}
    for file_id, sha256, *version, location_id, status in rows:
        owner = known.setdefault((file_id, sha256), ContentOwner(*version))
        if status == TransferStatus.COMPLETED:
            owner.locations.add(location_id)
        else:
            owner.damaged[location_id] += 1
    return known


def _without_repaired(session: Session, results: Sequence[Result]) -> list[Result]:
    """A further copy of an earlier version is dropped when a repair has made that copy, or is making it.

    Both publish to the same path, so that the second one takes over the bytes of the first.
    """
    further = {each.owner for each in results if isinstance(each, Archived) and each.owner != each.claim.version_id}
    if not further:
        return list(results)
    rows = select(Transfer.version_id, Transfer.storage_location_id).where(
        is_one_of(Transfer.version_id, further), Transfer.status.in_(LIVE)
    )
    taken = {row._tuple() for row in session.connection().execute(rows)}
    return [
        Unchanged(each.claim, each.digest)
        if isinstance(each, Archived)
        and each.owner in further
        and (each.owner, each.claim.storage_location_id) in taken
        else each
        for each in results
    ]


def _without_other_contents(session: Session, results: Sequence[Result]) -> list[Result]:
    """A copy has failed when another run has archived its version elsewhere with another content."""
    version_ids = [each.claim.version_id for each in results if not isinstance(each, Failed)]
    rows = select(FileVersion.id, FileVersion.sha256).where(
        is_one_of(FileVersion.id, version_ids), FileVersion.sha256.is_not(None)
    )
    known = dict(session.connection().execute(rows).tuples().all())
    return [
        Failed(each.claim, other_content(each.claim))
        if not isinstance(each, Failed) and known.get(each.claim.version_id, each.digest.sha256) != each.digest.sha256
        else each
        for each in results
    ]
