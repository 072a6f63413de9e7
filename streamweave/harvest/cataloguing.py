"""Cataloguing: the proof of a copy, or its failure and what follows, goes on record; a batch in one short transaction.

Only claims that this run still holds are written: a run that was taken for dead finds its claims gone, and its copies
are taken over by whoever holds them now.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, is_one_of, update_many
from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.errors import ContentDiffers
from streamweave.facility import Facility
from streamweave.harvest.report import FileOutcome
from streamweave.harvest.results import (
    Archived,
    Failed,
    Result,
    Unchanged,
    concluded,
    consequence_of,
    next_attempt,
    outcome_of,
    transfer_after,
    version_after,
)
from streamweave.harvest.standing import Standing, standings, write_standings
from streamweave.harvest.withdrawal import withdraw_waiting_transfers
from streamweave.rehash.findings import record_other_contents

__all__ = ["Archived", "Failed", "Holder", "Result", "Unchanged", "catalogue", "holders"]


@dataclass(frozen=True, slots=True)
class Holder:
    """The version that holds some content, the storage locations that have it, and how often it was damaged there."""

    version_id: uuid.UUID
    number: int
    locations: set[uuid.UUID] = field(default_factory=set)
    damaged: Counter[uuid.UUID] = field(default_factory=Counter)


def holders(session: Session, file_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], Holder]:
    """Who holds the contents of these files that are archived somewhere, by file and sha256."""
    rows = session.connection().execute(
        select(
            Transfer.file_id,
            FileVersion.sha256,
            FileVersion.id,
            FileVersion.number,
            Transfer.storage_location_id,
            Transfer.status,
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(is_one_of(Transfer.file_id, file_ids), Transfer.status.in_(ONCE_COMPLETED))
    )
    known: dict[tuple[uuid.UUID, str], Holder] = {}
    for file_id, sha256, version_id, number, location_id, status in rows:
        holder = known.setdefault((file_id, sha256), Holder(version_id, number))
        if status == TransferStatus.COMPLETED:
            holder.locations.add(location_id)
        else:
            holder.damaged[location_id] += 1
    return known


def catalogue(
    facility: Facility, instrument: Instrument, run_id: uuid.UUID, results: Sequence[Result]
) -> list[FileOutcome]:
    """Write what became of some claims; returns the outcomes of those that this run still held."""
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        mine = _without_repaired(session, _held(session, run_id, results))
        now = facility.now()
        before = standings(session, {result.claim.version_id for result in mine})
        after = {version.id: version for version in before}
        for result in mine:
            version_id = result.claim.version_id
            after[version_id] = version_after(result, after[version_id], instrument, now)
        _write_transfers(session, mine, instrument, now)
        open_ends, copied = _ends(session, after)
        for result in mine:
            version = after[result.claim.version_id]
            if version.id not in open_ends:
                after[version.id] = concluded(result, version, now, has_a_copy=version.id in copied)
        write_standings(session, zip(before, after.values(), strict=True))
        _write_digests(session, mine, after)
        strayed = [id_ for id_ in open_ends if after[id_].state not in (VersionState.PENDING, VersionState.FAILED)]
        withdraw_waiting_transfers(session, strayed, "the file left the way into the archive", now)
        record_other_contents(session, instrument, _of_other_content(mine), now)
        return [outcome_of(result, after[result.claim.version_id]) for result in mine]


def _of_other_content(results: Sequence[Result]) -> dict[uuid.UUID, str]:
    """The versions whose source has another content than they are archived with, with their paths."""
    failures = [result for result in results if isinstance(result, Failed)]
    return {
        each.claim.version_id: each.claim.source_path for each in failures if isinstance(each.error, ContentDiffers)
    }


def _held(session: Session, run_id: uuid.UUID, results: Sequence[Result]) -> list[Result]:
    """The results of claims that this run holds."""
    transfers = select(Transfer.claim_id, Transfer.run_id, Transfer.status).where(
        is_one_of(Transfer.id, [result.claim.transfer_id for result in results])
    )
    is_held = {
        row.claim_id: row[1:] == (run_id, TransferStatus.IN_PROGRESS) for row in session.connection().execute(transfers)
    }
    return [result for result in results if is_held.get(result.claim.claim_id)]


def _without_repaired(session: Session, results: Sequence[Result]) -> list[Result]:
    """A further copy of an earlier version is none when a repair has made that copy meanwhile, or is making it.

    Both publish to the same path, so that whichever comes second takes over the bytes of the first.
    """
    further = {each.holder for each in results if isinstance(each, Archived) and each.holder != each.claim.version_id}
    if not further:
        return list(results)
    live = (TransferStatus.PENDING, TransferStatus.IN_PROGRESS, TransferStatus.COMPLETED)
    rows = select(Transfer.version_id, Transfer.storage_location_id).where(
        is_one_of(Transfer.version_id, further), Transfer.status.in_(live)
    )
    taken = {row._tuple() for row in session.connection().execute(rows)}
    return [
        Unchanged(each.claim, each.digest)
        if isinstance(each, Archived)
        and each.holder in further
        and (each.holder, each.claim.storage_location_id) in taken
        else each
        for each in results
    ]


def _write_transfers(session: Session, results: Sequence[Result], instrument: Instrument, now: datetime) -> None:
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        ended = transfer_after(result, now)
        alike[tuple(ended)].append(ended)
    for rows in alike.values():
        update_many(session, Transfer, rows)
    failures = [result for result in results if isinstance(result, Failed)]
    again = [each for each in failures if consequence_of(each, instrument, now).state == VersionState.PENDING]
    insert_many(session, Transfer, [next_attempt(each, instrument, now) for each in again])


def _ends(session: Session, version_ids: Collection[uuid.UUID]) -> tuple[set[uuid.UUID], set[uuid.UUID]]:
    """Which of these versions have transfers that wait or are under way, and which have or had completed ones.

    A version that has none of the former waits for nothing more, and is done.
    """
    open_ends, copied = set(), set()
    rows = select(Transfer.version_id, Transfer.status).where(is_one_of(Transfer.version_id, version_ids))
    for version_id, status in session.connection().execute(rows):
        if status in (TransferStatus.PENDING, TransferStatus.IN_PROGRESS):
            open_ends.add(version_id)
        elif status in ONCE_COMPLETED:
            copied.add(version_id)
    return open_ends, copied


def _write_digests(session: Session, results: Sequence[Result], versions: Mapping[uuid.UUID, Standing]) -> None:
    """A file record shows the digests of its newest version."""
    told = {
        result.claim.file_id: result.digest
        for result in results
        if not isinstance(result, Failed) and versions[result.claim.version_id].is_newest
    }
    rows = [{"id": file_id, "xxhash": each.xxhash, "sha256": each.sha256} for file_id, each in told.items()]
    update_many(session, FileRecord, rows)
