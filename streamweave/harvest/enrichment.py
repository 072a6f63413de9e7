"""Enrichment: let the post-transfer hooks tell more about archived files. Told anew when these hooks change.

A hook that fails is on record with its file, and asked again at the next harvest; what the others found is kept.
"""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from streamweave.access.assignment import assign_access
from streamweave.access.grantees import Grantee, NamedGrantee
from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, HookTrigger, Instrument, VersionState
from streamweave.facility import Facility
from streamweave.harvest.policy import hooks_fingerprint
from streamweave.hooks.base import HookContext, PostTransferHook
from streamweave.hooks.configuration import active_hooks
from streamweave.hooks.registry import build_post_hook
from streamweave.hooks.running import enrich

VERSIONS_PER_TRANSACTION = 500


def enrich_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> int:
    """Enrich every archived file that these hooks have not enriched yet; returns how many failed."""
    with facility.sessions() as session:
        rows = active_hooks(session, instrument.id, HookTrigger.POST_TRANSFER)
    hooks = [build_post_hook(row.builtin_name, row.config, name=row.name) for row in rows]
    fingerprint = hooks_fingerprint(rows)
    due = _is_due(instrument, fingerprint, days)
    failures = 0
    after: FileVersion | None = None
    while True:
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            batch = _batch(session, due, after)
            failures += _enrich_batch(session, batch, instrument, hooks, fingerprint)
        if not batch:
            return failures
        after = batch[-1][0]


def _is_due(instrument: Instrument, fingerprint: str, days: Collection[date] | None) -> ColumnElement[bool]:
    due = and_(
        FileVersion.instrument_id == instrument.id,
        FileVersion.enriched_hooks.is_distinct_from(fingerprint),
        FileVersion.state.in_((VersionState.ARCHIVED, VersionState.UNCHANGED)),
        FileVersion.is_newest,
    )
    return due if days is None else and_(due, FileVersion.acquisition_day.in_(days))


def _batch(
    session: Session, due: ColumnElement[bool], after: FileVersion | None
) -> Sequence[tuple[FileVersion, FileRecord]]:
    query = select(FileVersion, FileRecord).join(FileRecord, FileRecord.id == FileVersion.file_id).where(due)
    if after is not None:
        query = query.where(FileVersion.id > after.id)
    return [row._tuple() for row in session.execute(query.order_by(FileVersion.id).limit(VERSIONS_PER_TRANSACTION))]


def _enrich_batch(
    session: Session,
    batch: Sequence[tuple[FileVersion, FileRecord]],
    instrument: Instrument,
    hooks: Sequence[PostTransferHook],
    fingerprint: str,
) -> int:
    """Write what the hooks tell about these files; returns for how many one of them failed."""
    told = {record.id: enrich(hooks, _shown(version, record, instrument)) for version, record in batch}
    removed = assign_access(session, {file_id: enriched.grants for file_id, enriched in told.items()})
    failures = 0
    for version, record in batch:
        enriched = told[record.id]
        problems = [*map(str, enriched.failures), *(_is_gone(grantee) for grantee in enriched.grants & removed)]
        record.metadata_ = dict(enriched.metadata)
        version.enrichment_error = "; ".join(problems) or None
        version.enriched_hooks = None if problems else fingerprint
        failures += bool(problems)
    return failures


def _shown(version: FileVersion, record: FileRecord, instrument: Instrument) -> HookContext:
    return HookContext(
        instrument_slug=instrument.slug,
        source_path=record.source_path,
        filename=record.filename,
        size_bytes=version.size_bytes,
        mtime=version.source_mtime,
        xxhash=version.xxhash,
        sha256=version.sha256,
    )


def _is_gone(grantee: Grantee | NamedGrantee) -> str:
    return f"a hook grants to a {grantee.type} that is gone"
