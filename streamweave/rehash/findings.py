"""Findings: what came of reading sources again goes on record. The caller holds the instrument's lock and commits."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.tables import FileVersion, Instrument
from streamweave.harvest.changes import record_changes
from streamweave.harvest.comparison import KnownFile
from streamweave.harvest.knowledge import known_files
from streamweave.rehash.rereading import Finding, Reread
from streamweave.rehash.sampling import Subject
from streamweave.sources.base import SourceFile

FOUND_BY_REREADING = "read again at the source: another content, though size and mtime are the same"


def record_findings(session: Session, instrument: Instrument, reread: Sequence[Reread], now: datetime) -> list[str]:
    """Write what was found; returns the paths of the files that get a further version, which is to settle.

    What has changed since it was read, or is just being copied, is left to the looks at the share.
    """
    _stamp(session, [subject.version_id for subject, _, _ in reread], source_reread_at=now)
    identical = [subject.version_id for subject, finding, _ in reread if finding == Finding.IDENTICAL]
    _stamp(session, identical, source_verified_at=now)
    changed = _still_so(session, instrument, [subject for subject, found, _ in reread if found == Finding.DIFFERENT])
    record_changes(session, instrument, [(known, _as_seen(known)) for known in changed], now)
    session.execute(
        update(FileVersion)
        .where(is_one_of(FileVersion.file_id, [known.file_id for known in changed]), FileVersion.is_newest)
        .values(found_by_rereading=True, reason=FOUND_BY_REREADING)
    )
    return [known.source_path for known in changed]


def _stamp(session: Session, version_ids: Collection[uuid.UUID], **times: datetime) -> None:
    session.execute(
        update(FileVersion).where(is_one_of(FileVersion.id, version_ids), FileVersion.is_newest).values(**times)
    )


def _still_so(session: Session, instrument: Instrument, subjects: Sequence[Subject]) -> list[KnownFile]:
    known = known_files(session, instrument.id, [subject.source_path for subject in subjects])
    same = {subject.version_id for subject in subjects}
    return [each for each in known.values() if each.version_id in same and not each.is_claimed and not each.is_gone]


def _as_seen(known: KnownFile) -> SourceFile:
    return SourceFile(known.source_path, known.size_bytes, known.mtime)
