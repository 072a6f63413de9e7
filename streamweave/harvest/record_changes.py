"""What a scan found, compared with what the catalog knows, and recorded.

``find_candidates`` finds in whole folders, cheaply, what is not as expected (``expected_files``); ``compare`` then
examines only those files, beside what is known of them (``known_files``). Both are pure. What they found is written
while the caller holds the instrument's lock, and commits: what has been archived stays as it is, and a changed file
gets a further version; what has not is changed in place.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, true, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, digest_of_path, insert_many, is_at, is_one_of, update_many
from streamweave.catalog.tables import (
    IS_OPEN,
    FileRecord,
    FileVersion,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.harvest.claims import has_a_copy, is_claimed, once_copied
from streamweave.harvest.version_state import GONE, VersionFields, version_fields, write_version_fields
from streamweave.instruments.acquisition import acquisition
from streamweave.sources.base import SourceFile

STORAGE_FAULTS = (StorageUnavailable.kind(), StorageRefused.kind())
NOT_YET_ARCHIVED = (
    VersionState.SETTLING,
    VersionState.OVERDUE,
    VersionState.SETTLED,
    VersionState.PENDING,
    VersionState.FAILED,
)
FOUND_BY_REREADING = "read again at the source: another content, though size and mtime are the same"

Expected = tuple[str, int, datetime, uuid.UUID | None, bool]
"""A file that should be on the share: its path, its size in bytes, its mtime; the version's id while it is watched; and
whether it is to be compared closely even if size and mtime are unchanged."""


@dataclass(slots=True)
class Candidates:
    """``differing`` files are to be compared closely, ``watched`` versions are unchanged, ``missing`` paths are absent.

    All other files are as expected.
    """

    differing: list[SourceFile] = field(default_factory=list)
    watched: list[uuid.UUID] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def include(self, other: "Candidates") -> None:
        self.differing += other.differing
        self.watched += other.watched
        self.missing += other.missing


def find_candidates(listed: Iterable[SourceFile], expected: Iterable[Expected]) -> Candidates:
    """Compare completely listed folders with all that is expected in them."""
    candidates = Candidates()
    unseen = {row[0]: row for row in expected}
    for file in listed:
        row = unseen.pop(file.source_path, None)
        if row is None or row[4] or row[1] != file.size_bytes or row[2] != file.mtime:
            candidates.differing.append(file)
        elif row[3] is not None:
            candidates.watched.append(row[3])
    candidates.missing.extend(unseen)
    return candidates


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file record with its newest version, as the catalog holds it."""

    file_id: uuid.UUID
    version_id: uuid.UUID
    source_path: str
    number: int
    size_bytes: int
    mtime: datetime
    state: str
    is_gone: bool
    is_claimed: bool
    is_unfinished: bool = False


@dataclass(slots=True)
class Differences:
    """What must be written. Unchanged files appear nowhere."""

    new: list[SourceFile] = field(default_factory=list)
    changed: list[tuple[KnownFile, SourceFile]] = field(default_factory=list)
    watched: list[uuid.UUID] = field(default_factory=list)
    returned: list[uuid.UUID] = field(default_factory=list)


def compare(listed: Iterable[SourceFile], known: Mapping[str, KnownFile]) -> Differences:
    """Compare files with what is known of them, by source path.

    A version that a run is copying at this moment is left alone: the next scan sees its change again.
    """
    differences = Differences()
    once = {file.source_path: file for file in listed}  # a server may list a name twice
    for path, file in once.items():
        before = known.get(path)
        if before is None:
            differences.new.append(file)
        elif not before.is_claimed:
            _compare_one(file, before, differences)
    return differences


def _compare_one(file: SourceFile, before: KnownFile, differences: Differences) -> None:
    if _keeps_growing(file, before):
        return
    has_other_content = before.state == VersionState.SUPERSEDED  # seen by a copy; size and mtime are the same
    if has_other_content or (file.size_bytes, file.mtime) != (before.size_bytes, before.mtime):
        differences.changed.append((before, file))
    elif before.is_gone or before.state == VersionState.VANISHED:
        differences.returned.append(before.file_id)
    elif before.state in WATCHED:
        differences.watched.append(before.version_id)


def _keeps_growing(file: SourceFile, before: KnownFile) -> bool:
    """Its first bytes are about to be copied, and are still the same: what it gains is a later version."""
    is_on_its_way = before.is_unfinished and before.state in (VersionState.SETTLED, VersionState.PENDING)
    return is_on_its_way and not before.is_gone and file.size_bytes >= before.size_bytes


def expected_files(session: Session, instrument_id: uuid.UUID, which: ColumnElement[bool]) -> Sequence[Expected]:
    """What should be there; ``which`` is over ``FileRecord``. One query, whatever the number of folders or paths."""
    query = (
        select(
            FileRecord.source_path,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            case((FileVersion.state.in_(WATCHED), FileVersion.id)),
            FileVersion.state.in_((VersionState.VANISHED, VersionState.SUPERSEDED)),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None), which)
    )
    return session.connection().execute(query).tuples().all()


def known_files(session: Session, instrument_id: uuid.UUID, source_paths: Collection[str]) -> dict[str, KnownFile]:
    """What is known of these files, gone ones too, by source path: one query, whatever their number."""
    rows = session.connection().execute(
        select(
            FileRecord.id,
            FileVersion.id,
            FileRecord.source_path,
            FileVersion.number,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.state,
            FileRecord.gone_at.is_not(None),
            case((FileVersion.state != VersionState.ARCHIVED, is_claimed()), else_=False),
            FileVersion.unfinished.is_not(None),
        )
        .join(FileVersion, (FileVersion.file_id == FileRecord.id) & FileVersion.is_newest)
        .where(FileRecord.instrument_id == instrument_id, is_at(map(digest_of_path, source_paths)))
    )
    return {row[2]: KnownFile(*row) for row in rows}


Change = tuple[KnownFile, SourceFile]


@dataclass(frozen=True)
class Recorder:
    """Writes for one instrument, as of one moment of our clock."""

    session: Session
    instrument: Instrument
    mint_identifier: Callable[[], str]
    now: datetime

    def record(self, differences: Differences) -> None:
        self._add(differences.new)
        record_changes(self.session, self.instrument, differences.changed, self.now)
        self.mark_observed(differences.watched)
        self._mark_returned(differences.returned)

    def mark_observed(self, version_ids: Collection[uuid.UUID]) -> None:
        """Watched versions are unchanged, except those of which another scan has seen another content since."""
        if version_ids:
            self.session.execute(
                update(FileVersion)
                .where(
                    is_one_of(FileVersion.id, version_ids),
                    checked(FileVersion.state.in_(WATCHED)),
                    FileVersion.unchanged_since <= self.now,
                )
                .values(observed_at=self.now)
            )

    def conclude_gone(self, which: ColumnElement[bool], *, known_before: datetime | None, because: str = GONE) -> int:
        """Record that files are gone from the source, if they were ``known_before``; returns how many.

        ``which`` is over ``FileRecord``. What is archived of the files stays as it is.
        """
        gone = self.session.scalars(
            update(FileRecord)
            .where(
                FileRecord.instrument_id == self.instrument.id,
                FileRecord.gone_at.is_(None),
                true() if known_before is None else FileRecord.first_discovered_at < known_before,
                which,
            )
            .values(gone_at=self.now)
            .returning(FileRecord.id)
        ).all()
        unfinished = and_(
            is_one_of(FileVersion.file_id, gone),
            FileVersion.is_newest,
            FileVersion.state.in_(NOT_YET_ARCHIVED),
            ~is_claimed(),
        )
        archived_at = func.coalesce(FileVersion.archived_at, self.now)
        ended = [
            *self._end(
                VersionState.ARCHIVED,
                f"{because} before every storage location had it",
                unfinished & has_a_copy(),
                archived_at=archived_at,
            ),
            *self._end(VersionState.VANISHED, f"{because} before it was archived", unfinished & ~has_a_copy()),
        ]
        cancel_waiting_transfers(self.session, ended, f"{because} before this copy began", self.now)
        return len(gone)

    def _add(self, files: Sequence[SourceFile]) -> None:
        identified = [(uuid7(), file) for file in files]
        versions = (
            {**first_version(file_id, file, self.instrument, self.now), "first_discovered_at": self.now}
            for file_id, file in identified
        )
        insert_many(self.session, FileRecord, (self._record_of(*each) for each in identified))
        insert_many(self.session, FileVersion, versions)

    def _record_of(self, file_id: uuid.UUID, file: SourceFile) -> dict[str, Any]:
        folder, _, filename = file.source_path.rpartition("/")
        return {
            "id": file_id,
            "instrument_id": self.instrument.id,
            "source_path": file.source_path,
            "folder": folder,
            "filename": filename,
            "persistent_id": self.mint_identifier(),
            "size_bytes": file.size_bytes,
            "source_mtime": file.mtime,
            "first_discovered_at": self.now,
            "metadata_": "{}",
        }

    def _mark_returned(self, file_ids: Collection[uuid.UUID]) -> None:
        if not file_ids:
            return
        self.session.execute(
            update(FileRecord).where(is_one_of(FileRecord.id, file_ids)).values(gone_at=None, back_at=self.now)
        )
        self.session.execute(
            update(FileVersion)
            .where(
                is_one_of(FileVersion.file_id, file_ids),
                FileVersion.is_newest,
                FileVersion.state == VersionState.VANISHED,
            )
            .values(
                state=VersionState.SETTLING,
                reason="it had vanished and is back",
                state_since=self.now,
                unchanged_since=self.now,
                observed_at=self.now,
            )
        )

    def _end(self, state: VersionState, reason: str, which: ColumnElement[bool], **others: Any) -> Sequence[uuid.UUID]:
        values = {"state": state, "reason": reason, "state_since": self.now, "retry_at": None, **others}
        # if the file returns, the locations that lack it are still to get it
        ended = update(FileVersion).where(which).values(**values, decided_destinations=None)
        return self.session.scalars(ended.returning(FileVersion.id)).all()


def record_changes(session: Session, instrument: Instrument, changes: Sequence[Change], now: datetime) -> None:
    """Write what changed, by a few statements whatever the number of files."""
    if not changes:
        return
    ids = [known.version_id for known, _ in changes]
    before = version_fields(session, ids)
    file_ids = [known.file_id for known, _ in changes]
    copied, published = once_copied(session, file_ids), _perhaps_published(session, file_ids)
    archived = {each.id for each in before if each.id in copied or each.state == VersionState.UNCHANGED}
    cancel_waiting_transfers(session, ids, "the file changed before this copy began", now)
    files = {known.version_id: file for known, file in changes}
    write_version_fields(
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
    further = [
        {**first_version(known.file_id, file, instrument, now), "number": known.number + 1}
        for known, file in changes
        if known.version_id in archived
    ]
    insert_many(session, FileVersion, further)
    records = [
        {"id": known.file_id, "size_bytes": file.size_bytes, "source_mtime": file.mtime, "gone_at": None}
        for known, file in changes
    ]
    update_many(session, FileRecord, records)


def _superseded(version: VersionFields, now: datetime) -> VersionFields:
    """As it stays behind a further version: storage locations that lack it will never get it."""
    if version.state in (VersionState.ARCHIVED, VersionState.UNCHANGED):
        return version._replace(is_newest=False)
    reason = "changed at the source before every storage location had it"
    return version.entering(VersionState.SUPERSEDED, reason, now, is_newest=False)


def _in_place(version: VersionFields, file: SourceFile, now: datetime) -> VersionFields:
    if file.unreadable:
        return version.entering(VersionState.UNREADABLE, file.unreadable, now, retry_at=None)
    reason = "changed since the last scan"
    if version.state in WATCHED:
        return version._replace(reason=reason, decided_hooks=None)
    anew: dict[str, Any] = {"decided_hooks": None, "failures": 0, "retry_at": None, "unfinished": None}
    return version.entering(VersionState.SETTLING, reason, now, **anew)


def _other_content(
    known: KnownFile, file: SourceFile, instrument: Instrument, now: datetime, *, published: Collection[uuid.UUID]
) -> dict[str, Any]:
    """If bytes of the earlier content may have the final name, this one gets another name, by its number."""
    number = known.number + 1 if known.version_id in published else known.number
    return {"id": known.version_id, "number": number, **observation_of(file, instrument, now)}


def _perhaps_published(session: Session, file_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The versions of files of which a run crashed, or its storage failed, between publishing and cataloguing.

    The transfers of crashed runs may have been cancelled since.
    """
    not_under_way = Transfer.status.in_((TransferStatus.PENDING, TransferStatus.SKIPPED))
    left_by_crash = not_under_way & Transfer.started_at.is_not(None)
    left_by_storage = (Transfer.status == TransferStatus.FAILED) & Transfer.error_kind.in_(STORAGE_FAULTS)
    versions = select(FileVersion.id).where(is_one_of(FileVersion.file_id, file_ids))
    left = Transfer.version_id.in_(versions) & checked(left_by_crash | left_by_storage)
    return set(session.scalars(select(Transfer.version_id).where(left)))


def first_version(file_id: uuid.UUID, file: SourceFile, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """The row of a version that was just discovered, as the first of its file."""
    return {
        "id": uuid7(),
        "file_id": file_id,
        "instrument_id": instrument.id,
        "number": 1,
        "discovered_at": now,
        "state": VersionState.UNREADABLE if file.unreadable else VersionState.SETTLING,
        "reason": file.unreadable or "seen for the first time",
        "state_since": now,
        **observation_of(file, instrument, now),
    }


def observation_of(file: SourceFile, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """The columns of a version whose content was seen just now, for the first time."""
    acquired = acquisition(
        file.mtime, timezone=instrument.timezone, first_day=instrument.first_acquisition_day, now=now
    )
    return {
        "size_bytes": file.size_bytes,
        "source_mtime": file.mtime,
        "acquisition_day": acquired.day,
        "clock_skew_seconds": acquired.clock_skew_seconds,
        "unchanged_since": now,
        "observed_at": now,
    }


def cancel_waiting_transfers(session: Session, version_ids: Collection[uuid.UUID], why: str, now: datetime) -> None:
    """End the transfers of these versions that were not begun, with the reason; what is under way is left alone."""
    if version_ids:
        session.execute(
            update(Transfer)
            .where(
                is_one_of(Transfer.version_id, version_ids),
                IS_OPEN,
                checked(Transfer.status == TransferStatus.PENDING),
            )
            .values(status=TransferStatus.SKIPPED, error_message=why, completed_at=now)
        )


def record_other_contents(
    session: Session, instrument: Instrument, versions: Mapping[uuid.UUID, str], now: datetime
) -> list[str]:
    """Add a version after each of these, given with their paths: the source has another content now.

    Returns the paths of those that are still the newest, and that no run copies.
    """
    known = known_files(session, instrument.id, versions.values()).values()
    changed = [each for each in known if each.version_id in versions and not each.is_claimed and not each.is_gone]
    record_changes(
        session,
        instrument,
        [(each, SourceFile(each.source_path, each.size_bytes, each.mtime)) for each in changed],
        now,
    )
    session.execute(
        update(FileVersion)
        .where(is_one_of(FileVersion.file_id, [each.file_id for each in changed]), FileVersion.is_newest)
        .values(found_by_rereading=True, reason=FOUND_BY_REREADING)
    )
    return [each.source_path for each in changed]
