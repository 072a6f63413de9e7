"""A listing compared with what the catalog knows.

``find_candidates`` finds in whole folders, cheaply, what is not as expected (``expected_files``); ``compare`` then
examines only those files, beside what is known of them (``known_files``). Both are pure.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import digest_of_path, is_at
from streamweave.catalog.tables import FileRecord, FileVersion, VersionState
from streamweave.catalog.tables.files import WATCHED
from streamweave.harvest.claims import is_claimed
from streamweave.sources.base import SourceFile

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
