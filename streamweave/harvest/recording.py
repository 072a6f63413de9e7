"""Writes what a discovery found. The caller holds the instrument's lock and commits."""

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.file_versions import WATCHED
from streamweave.errors import StorageRefused, StorageUnavailable
from streamweave.harvest.acquisition import acquisition
from streamweave.harvest.comparison import Differences, KnownFile
from streamweave.harvest.knowledge import has_a_copy, is_claimed
from streamweave.sources.base import SourceFile

NOT_YET_ARCHIVED = (
    VersionState.SETTLING,
    VersionState.OVERDUE,
    VersionState.SETTLED,
    VersionState.PENDING,
    VersionState.FAILED,
)


STORAGE_FAULTS = (StorageUnavailable.kind(), StorageRefused.kind())
GONE_BEFORE_ANY = "gone from the source before it was archived"
GONE_BEFORE_ALL = "gone from the source before every storage location had it"


@dataclass(frozen=True)
class Recorder:
    """Writes for one instrument, as of one moment of our clock."""

    session: Session
    instrument: Instrument
    mint_identifier: Callable[[], str]
    now: datetime

    def record(self, differences: Differences) -> None:
        """Write all but the missing files: those are concluded on only when the whole share has been seen."""
        self._add(differences.new)
        for known, file in differences.changed:
            self._change(known, file)
        self._look_again([known.version_id for known in differences.watched])
        self._welcome_back(differences.returned)

    def _add(self, files: Sequence[SourceFile]) -> None:
        if not files:
            return
        records = [self._record_of(file) for file in files]
        self.session.execute(insert(FileRecord), records)
        self.session.execute(
            insert(FileVersion),
            [self._version_of(record["id"], 1, file) for record, file in zip(records, files, strict=True)],
        )

    def _record_of(self, file: SourceFile) -> dict[str, Any]:
        folder, _, filename = file.source_path.rpartition("/")
        return {
            "id": uuid.uuid4(),
            "instrument_id": self.instrument.id,
            "source_path": file.source_path,
            "folder": folder,
            "filename": filename,
            "persistent_id": self.mint_identifier(),
            "size_bytes": file.size_bytes,
            "source_mtime": file.mtime,
            "first_discovered_at": self.now,
            "metadata_": {},
        }

    def _version_of(self, file_id: uuid.UUID, number: int, file: SourceFile) -> dict[str, Any]:
        return {
            "id": uuid.uuid4(),
            "file_id": file_id,
            "instrument_id": self.instrument.id,
            "number": number,
            "discovered_at": self.now,
            "state": VersionState.UNREADABLE if file.unreadable else VersionState.SETTLING,
            "reason": file.unreadable or "seen for the first time",
            "state_since": self.now,
            **self._observation_of(file),
        }

    def _observation_of(self, file: SourceFile) -> dict[str, Any]:
        acquired = acquisition(
            file.mtime,
            timezone=self.instrument.timezone,
            first_day=self.instrument.first_acquisition_day,
            now=self.now,
        )
        return {
            "size_bytes": file.size_bytes,
            "source_mtime": file.mtime,
            "acquisition_day": acquired.day,
            "clock_skew_seconds": acquired.clock_skew_seconds,
            "unchanged_since": self.now,
            "observed_at": self.now,
        }

    def _change(self, known: KnownFile, file: SourceFile) -> None:
        version = self.session.get_one(FileVersion, known.version_id)
        if self._has_been_archived(version):
            self._add_version(version, file)
        else:
            self._change_in_place(version, file)
        self.session.execute(
            update(FileRecord)
            .where(FileRecord.id == known.file_id)
            .values(size_bytes=file.size_bytes, source_mtime=file.mtime, xxhash=None, sha256=None, gone_at=None)
        )

    def _has_been_archived(self, version: FileVersion) -> bool:
        """In one storage location at least; or it told us that its content is archived already."""
        copied = self.session.scalar(select(has_a_copy()).where(FileVersion.id == version.id))
        return version.state == VersionState.UNCHANGED or bool(copied)

    def _add_version(self, before: FileVersion, file: SourceFile) -> None:
        before.is_newest = False
        if before.state not in (VersionState.ARCHIVED, VersionState.UNCHANGED):
            before.state, before.state_since = VersionState.SUPERSEDED, self.now
            before.reason = "changed at the source before every storage location had it"
        withdraw_waiting_transfers(self.session, [before.id], "the file changed before this copy began", self.now)
        self.session.flush()
        self.session.execute(insert(FileVersion), [self._version_of(before.file_id, before.number + 1, file)])

    def _change_in_place(self, version: FileVersion, file: SourceFile) -> None:
        if version.state not in WATCHED:
            version.state, version.state_since = VersionState.SETTLING, self.now
            version.failures, version.retry_at = 0, None
        if self._may_have_been_published(version):
            version.number += 1
        version.reason = "changed since our last look"
        version.decided_hooks = None
        for column, value in self._observation_of(file).items():
            setattr(version, column, value)
        withdraw_waiting_transfers(self.session, [version.id], "the file changed before this copy began", self.now)

    def _may_have_been_published(self, version: FileVersion) -> bool:
        """A run died, or its storage failed, between publishing and cataloguing: bytes may stand under the final name.

        The next content then needs another one, which it gets with another number.
        """
        left_by_the_dead = (Transfer.status == TransferStatus.PENDING) & Transfer.started_at.is_not(None)
        left_by_storage = (Transfer.status == TransferStatus.FAILED) & Transfer.error_kind.in_(STORAGE_FAULTS)
        left = select(Transfer.id).where(Transfer.version_id == version.id, left_by_the_dead | left_by_storage)
        return bool(self.session.scalar(select(left.exists())))

    def _look_again(self, version_ids: Collection[uuid.UUID]) -> None:
        if version_ids:
            self.session.execute(
                update(FileVersion).where(FileVersion.id.in_(version_ids)).values(observed_at=self.now)
            )

    def _welcome_back(self, files: Iterable[KnownFile]) -> None:
        file_ids = [known.file_id for known in files]
        if not file_ids:
            return
        self.session.execute(update(FileRecord).where(FileRecord.id.in_(file_ids)).values(gone_at=None))
        self.session.execute(
            update(FileVersion)
            .where(FileVersion.file_id.in_(file_ids), FileVersion.is_newest, FileVersion.state == VersionState.VANISHED)
            .values(
                state=VersionState.SETTLING,
                reason="it had vanished and is back",
                state_since=self.now,
                unchanged_since=self.now,
                observed_at=self.now,
            )
        )

    def conclude_gone(self, file_ids: Collection[uuid.UUID], *, known_before: datetime) -> int:
        """Put on record that files are gone from the source, but none that became known since; returns how many.

        What is archived of them stays as it is.
        """
        gone = self.session.scalars(
            update(FileRecord)
            .where(FileRecord.id.in_(file_ids), FileRecord.first_discovered_at < known_before)
            .values(gone_at=self.now)
            .returning(FileRecord.id)
        ).all()
        unfinished = and_(
            FileVersion.file_id.in_(gone),
            FileVersion.is_newest,
            FileVersion.state.in_(NOT_YET_ARCHIVED),
            ~is_claimed(),
        )
        ended = [
            *self._end(VersionState.ARCHIVED, GONE_BEFORE_ALL, unfinished & has_a_copy()),
            *self._end(VersionState.VANISHED, GONE_BEFORE_ANY, unfinished & ~has_a_copy()),
        ]
        withdraw_waiting_transfers(self.session, ended, "gone from the source before this copy began", self.now)
        return len(gone)

    def _end(self, state: VersionState, reason: str, which: ColumnElement[bool]) -> Sequence[uuid.UUID]:
        ended = update(FileVersion).where(which).values(state=state, reason=reason, state_since=self.now, retry_at=None)
        return self.session.scalars(ended.returning(FileVersion.id)).all()


def withdraw_waiting_transfers(session: Session, version_ids: Collection[uuid.UUID], why: str, now: datetime) -> None:
    """End transfers that were planned and never begun."""
    if version_ids:
        session.execute(
            update(Transfer)
            .where(Transfer.version_id.in_(version_ids), Transfer.status == TransferStatus.PENDING)
            .values(status=TransferStatus.SKIPPED, error_message=why, completed_at=now)
        )
