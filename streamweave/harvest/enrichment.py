"""Enrichment: let the post-transfer hooks tell more about archived files. Told anew when these hooks change.

A hook that fails is on record with its file, and asked again at the next harvest; what the others found is kept.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from streamweave.access.assignment import assign_access
from streamweave.access.grantees import Grantee
from streamweave.catalog.bulk import id_batches, is_one_of, update_many
from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, HookTrigger, Instrument
from streamweave.catalog.tables.file_versions import DONE
from streamweave.facility import Facility
from streamweave.garbage import seldom_sought
from streamweave.harvest.policy import hooks_fingerprint, is_other
from streamweave.hooks.base import HookContext, PostTransferHook
from streamweave.hooks.configuration import active_hooks
from streamweave.hooks.registry import build_post_hook
from streamweave.hooks.running import Enriched, enrich


@dataclass(frozen=True, slots=True)
class Archived:
    """An archived file, as the hooks are shown it, with its ids and what it has from earlier enrichments."""

    version_id: uuid.UUID
    file_id: uuid.UUID
    metadata: Mapping[str, Any]
    shown: HookContext


@seldom_sought()
def enrich_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> int:
    """Enrich every archived file that these hooks have not enriched yet; returns how many failed."""
    with facility.sessions() as session:
        rows = active_hooks(session, instrument.id, HookTrigger.POST_TRANSFER)
    hooks = [build_post_hook(row.builtin_name, row.config, name=row.name) for row in rows]
    fingerprint = hooks_fingerprint(rows)
    due = _is_due(instrument, fingerprint, days, tell_nothing=not hooks)
    failures = 0
    for version_ids in id_batches(facility.sessions, select(FileVersion.id).where(due)):
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            files = _archived(session, instrument, due & is_one_of(FileVersion.id, version_ids))
            failures += _enrich_batch(session, files, hooks, fingerprint)
    return failures


def _is_due(
    instrument: Instrument, fingerprint: str, days: Collection[date] | None, *, tell_nothing: bool
) -> ColumnElement[bool]:
    """Over ``FileVersion``. Without hooks nothing is due but to take back what earlier ones told."""
    due = and_(
        FileVersion.instrument_id == instrument.id,
        is_other(FileVersion.enriched_hooks, fingerprint),
        FileVersion.state.in_(DONE),
        FileVersion.is_newest,
    )
    if tell_nothing:
        due &= FileVersion.enriched_hooks.is_not(None) | FileVersion.enrichment_error.is_not(None)
    return due if days is None else and_(due, FileVersion.acquisition_day.in_(days))


def _archived(session: Session, instrument: Instrument, which: ColumnElement[bool]) -> list[Archived]:
    rows = session.connection().execute(
        select(
            FileVersion.id,
            FileRecord.id,
            FileRecord.metadata_,
            FileRecord.source_path,
            FileRecord.filename,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.xxhash,
            FileVersion.sha256,
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(which)
    )
    return [
        Archived(version_id, file_id, metadata, HookContext(instrument.slug, *shown))
        for version_id, file_id, metadata, *shown in rows
    ]


def _enrich_batch(
    session: Session, files: Sequence[Archived], hooks: Sequence[PostTransferHook], fingerprint: str
) -> int:
    """Write what the hooks tell about these files; returns for how many one of them failed."""
    told = {file.file_id: enrich(hooks, file.shown) for file in files}
    removed = assign_access(session, {file_id: enriched.grants for file_id, enriched in told.items()})
    problems = {file_id: _problems(enriched, removed) for file_id, enriched in told.items()}
    changed = [file for file in files if told[file.file_id].metadata != file.metadata]
    metadata = [{"id": file.file_id, "metadata_": dict(told[file.file_id].metadata)} for file in changed]
    update_many(session, FileRecord, metadata)
    enriched = [
        {
            "id": file.version_id,
            "enrichment_error": problems[file.file_id],
            "enriched_hooks": None if problems[file.file_id] else fingerprint,
        }
        for file in files
    ]
    update_many(session, FileVersion, enriched)
    return sum(problem is not None for problem in problems.values())


def _problems(enriched: Enriched, removed: Collection[Grantee]) -> str | None:
    gone = [f"a hook grants to a {grantee.type} that is gone" for grantee in enriched.grants if grantee in removed]
    return "; ".join([*map(str, enriched.failures), *gone]) or None
