"""Writes what a discovery found. The caller holds the instrument's lock and commits."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, true, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, insert_many, is_one_of
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import WATCHED
from streamweave.harvest.changes import record_changes
from streamweave.harvest.comparison import Differences
from streamweave.harvest.knowledge import has_a_copy, is_claimed
from streamweave.harvest.observation import first_version
from streamweave.harvest.withdrawal import withdraw_waiting_transfers
from streamweave.sources.base import SourceFile

NOT_YET_ARCHIVED = (
    VersionState.SETTLING,
    VersionState.OVERDUE,
    VersionState.SETTLED,
    VersionState.PENDING,
    VersionState.FAILED,
)
GONE = "gone from the source"
GONE_BEFORE_ALL = f"{GONE} before every storage location had it"


@dataclass(frozen=True)
class Recorder:
    """Writes for one instrument, as of one moment of our clock."""

    session: Session
    instrument: Instrument
    mint_identifier: Callable[[], str]
    now: datetime

    def record(self, differences: Differences) -> None:
        """Write all that a closer look at some files found."""
        self._add(differences.new)
        record_changes(self.session, self.instrument, differences.changed, self.now)
        self.look_again(differences.watched)
        self._welcome_back(differences.returned)

    def look_again(self, version_ids: Collection[uuid.UUID]) -> None:
        """Watched versions were as they had been; but not those of which somebody has seen another content since."""
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
        """Put on record that files are gone from the source, but none that became known since; returns how many.

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
        withdraw_waiting_transfers(self.session, ended, f"{because} before this copy began", self.now)
        return len(gone)

    def _add(self, files: Sequence[SourceFile]) -> None:
        identified = [(uuid7(), file) for file in files]
        insert_many(self.session, FileRecord, (self._record_of(*each) for each in identified))
        insert_many(self.session, FileVersion, (self._version_of(*each) for each in identified))

    def _version_of(self, file_id: uuid.UUID, file: SourceFile) -> dict[str, Any]:
        return {**first_version(file_id, file, self.instrument, self.now), "first_discovered_at": self.now}

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

    def _welcome_back(self, file_ids: Collection[uuid.UUID]) -> None:
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
        # when the file is back, the locations that lack it are still to get it
        ended = update(FileVersion).where(which).values(**values, decided_destinations=None)
        return self.session.scalars(ended.returning(FileVersion.id)).all()
