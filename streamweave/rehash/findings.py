"""Findings: what came of reading sources again goes on record. The caller holds the instrument's lock and commits."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of
from streamweave.catalog.tables import FileVersion, Instrument, VersionState
from streamweave.harvest.changes import record_changes
from streamweave.harvest.comparison import KnownFile
from streamweave.harvest.knowledge import known_files
from streamweave.rehash.rereading import Finding, Reread
from streamweave.sources.base import SourceFile

FOUND_BY_REREADING = "read again at the source: another content, though size and mtime are the same"


def record_findings(session: Session, instrument: Instrument, reread: Sequence[Reread], now: datetime) -> list[str]:
    """Write what was found; returns the paths of the files that get a further version, which is to settle.

    What has changed since it was read, or is just being copied, is left to the looks at the share.
    """
    _stamp(session, [subject.version_id for subject, _, _ in reread], source_reread_at=now)
    identical = [subject.version_id for subject, finding, _ in reread if finding == Finding.IDENTICAL]
    _stamp(session, identical, source_verified_at=now)
    _call_finished(session, identical, instrument, now)
    different = {subject.version_id: subject.source_path for subject, found, _ in reread if found == Finding.DIFFERENT}
    return record_other_contents(session, instrument, different, now)


def record_other_contents(
    session: Session, instrument: Instrument, versions: Mapping[uuid.UUID, str], now: datetime
) -> list[str]:
    """Add a version after each of these, given with their paths: the source has another content now.

    Returns the paths of those that are still the newest, and that nobody copies.
    """
    known = known_files(session, instrument.id, versions.values()).values()
    changed = [each for each in known if each.version_id in versions and not each.is_claimed and not each.is_gone]
    record_changes(session, instrument, [(each, _as_seen(each)) for each in changed], now)
    session.execute(
        update(FileVersion)
        .where(is_one_of(FileVersion.file_id, [each.file_id for each in changed]), FileVersion.is_newest)
        .values(found_by_rereading=True, reason=FOUND_BY_REREADING)
    )
    return [each.source_path for each in changed]


def _stamp(session: Session, version_ids: Collection[uuid.UUID], **times: datetime) -> None:
    session.execute(
        update(FileVersion).where(is_one_of(FileVersion.id, version_ids), FileVersion.is_newest).values(**times)
    )


def _call_finished(session: Session, version_ids: Collection[uuid.UUID], instrument: Instrument, now: datetime) -> None:
    """Of those archived while they grew: the ones that have been quiet since, and are as they were archived.

    Where files count as unfinished while they are open, however quiet, being quiet tells nothing of that.
    """
    if instrument.probe_open_writer:
        return
    quiet_since = now - timedelta(seconds=instrument.quiet_period_seconds)
    session.execute(
        update(FileVersion)
        .where(
            is_one_of(FileVersion.id, version_ids),
            FileVersion.is_newest,
            FileVersion.state == VersionState.ARCHIVED,
            FileVersion.unfinished.is_not(None),
            FileVersion.unchanged_since <= quiet_since,
        )
        .values(unfinished=None, reason="")
    )


def _as_seen(known: KnownFile) -> SourceFile:
    return SourceFile(known.source_path, known.size_bytes, known.mtime)
