"""Changes: a file is not what it was at our last look. The caller holds the instrument's lock and commits.

What has been archived stays as it is, and a further version is added; what has not becomes another content.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, insert_many, is_one_of, update_many
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.harvest.comparison import KnownFile
from streamweave.harvest.knowledge import of_files
from streamweave.harvest.observation import first_version, observation_of
from streamweave.harvest.standing import Standing, standings, write_standings
from streamweave.harvest.withdrawal import withdraw_waiting_transfers
from streamweave.sources.base import SourceFile

STORAGE_FAULTS = (StorageUnavailable.kind(), StorageRefused.kind())

Change = tuple[KnownFile, SourceFile]


def record_changes(session: Session, instrument: Instrument, changes: Sequence[Change], now: datetime) -> None:
    """Write what changed, by a handful of statements whatever the number of files."""
    if not changes:
        return
    ids = [known.version_id for known, _ in changes]
    before = standings(session, ids)
    file_ids = [known.file_id for known, _ in changes]
    copied, published = _copied(session, file_ids), _perhaps_published(session, file_ids)
    archived = {each.id for each in before if each.id in copied or each.state == VersionState.UNCHANGED}
    withdraw_waiting_transfers(session, ids, "the file changed before this copy began", now)
    files = {known.version_id: file for known, file in changes}
    write_standings(
        session,
        [
            (each, _superseded(each, now) if each.id in archived else _in_place(each, files[each.id], now))
            for each in before
        ],
    )
    in_place = [(known, file) for known, file in changes if known.version_id not in archived]
    update_many(
        session, FileVersion, [_other_content(*change, instrument, now, published=published) for change in in_place]
    )
    _add_versions(session, instrument, [change for change in changes if change[0].version_id in archived], now)
    update_many(session, FileRecord, [_of_record(known, file) for known, file in changes])


def _superseded(version: Standing, now: datetime) -> Standing:
    """As it stays behind a further version: what some storage locations lack of it they will never get."""
    if version.state in (VersionState.ARCHIVED, VersionState.UNCHANGED):
        return version._replace(is_newest=False)
    reason = "changed at the source before every storage location had it"
    return version.entering(VersionState.SUPERSEDED, reason, now, is_newest=False)


def _in_place(version: Standing, file: SourceFile, now: datetime) -> Standing:
    if file.unreadable:
        return version.entering(VersionState.UNREADABLE, file.unreadable, now, retry_at=None)
    return _settling_anew(version, now)


def _settling_anew(version: Standing, now: datetime) -> Standing:
    reason = "changed since our last look"
    if version.state in WATCHED:
        return version._replace(reason=reason, decided_hooks=None)
    anew: dict[str, Any] = {"decided_hooks": None, "failures": 0, "retry_at": None, "unfinished": None}
    return version.entering(VersionState.SETTLING, reason, now, **anew)


def _other_content(
    known: KnownFile, file: SourceFile, instrument: Instrument, now: datetime, *, published: Collection[uuid.UUID]
) -> dict[str, Any]:
    """Bytes of the earlier content may stand under the final name: then this one gets another, by its number."""
    number = known.number + 1 if known.version_id in published else known.number
    return {"id": known.version_id, "number": number, **observation_of(file, instrument, now)}


def _add_versions(session: Session, instrument: Instrument, changes: Sequence[Change], now: datetime) -> None:
    rows = [
        {**first_version(known.file_id, file, instrument, now), "number": known.number + 1} for known, file in changes
    ]
    insert_many(session, FileVersion, rows)


def _of_record(known: KnownFile, file: SourceFile) -> dict[str, Any]:
    return {
        "id": known.file_id,
        "size_bytes": file.size_bytes,
        "source_mtime": file.mtime,
        "gone_at": None,
    }


def _copied(session: Session, file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The versions of files that some storage location has, or had until its copy was damaged."""
    return set(session.scalars(select(Transfer.version_id).where(of_files(file_ids, *ONCE_COMPLETED))))


def _perhaps_published(session: Session, file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The versions of files of which a run died, or its storage failed, between publishing and cataloguing.

    What was left by the dead may have been withdrawn since.
    """
    not_under_way = Transfer.status.in_((TransferStatus.PENDING, TransferStatus.SKIPPED))
    left_by_the_dead = not_under_way & Transfer.started_at.is_not(None)
    left_by_storage = (Transfer.status == TransferStatus.FAILED) & Transfer.error_kind.in_(STORAGE_FAULTS)
    left = is_one_of(Transfer.file_id, file_ids) & checked(left_by_the_dead | left_by_storage)
    return set(session.scalars(select(Transfer.version_id).where(left)))
