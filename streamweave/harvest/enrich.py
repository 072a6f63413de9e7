"""Enriching: post-transfer hooks add metadata and access to archived files; anew when these hooks change.

A hook that fails is recorded with its file, and asked again: one that is built in at the next harvest, one that calls
out after a while. What the other hooks found is kept.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from streamweave.access.grants import Grantee, assign_access
from streamweave.catalog.bulk import checked, is_one_of, update_many
from streamweave.catalog.tables import FileRecord, FileVersion, HookTrigger, Instrument
from streamweave.catalog.tables.files import DONE, in_state
from streamweave.errors import HookUnanswered
from streamweave.facility import Facility
from streamweave.harvest.hook_batches import ActiveHooks, HookBatches, is_other, waits_for_hooks
from streamweave.hooks.base import HookContext, PostTransferHook
from streamweave.hooks.calls import (
    ANSWERED,
    Answers,
    Enriched,
    HookFailures,
    HookSubject,
    enrich,
    hook_failures,
    record_hook_failures,
)
from streamweave.hooks.configuration import active_hooks, hooks_fingerprint, post_hooks


def enrich_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> int:
    """Enrich every archived file that these hooks have not enriched yet; returns how many failed."""
    return sum(_Enriching(facility, instrument, days).run())


@dataclass(frozen=True)
class PostHooks(ActiveHooks):
    hooks: Sequence[PostTransferHook]


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """An archived file, as the hooks are shown it, with its ids and what it has from earlier enrichments."""

    version_id: uuid.UUID
    file_id: uuid.UUID
    metadata: Mapping[str, Any]
    failures: HookFailures
    shown: HookContext


class _Enriching(HookBatches[PostHooks, ArchivedFile, Enriched, int]):
    def configuration(self, session: Session) -> PostHooks:
        rows = active_hooks(session, self.instrument.id, HookTrigger.POST_TRANSFER)
        hooks = post_hooks(rows, self.reach)
        return PostHooks(hooks, hooks_fingerprint(rows, hooks))

    def wanted(self, configuration: PostHooks) -> Select[tuple[uuid.UUID]]:
        return select(FileVersion.id).where(self._is_due(configuration))

    def still_wanted(
        self, session: Session, configuration: PostHooks, version_ids: Sequence[uuid.UUID]
    ) -> list[ArchivedFile]:
        is_due = checked(self._is_due(configuration))
        return _archived(session, self.instrument, is_one_of(FileVersion.id, version_ids) & is_due)

    def _is_due(self, configuration: PostHooks) -> ColumnElement[bool]:
        """Over ``FileVersion``. Without hooks nothing is due but to take back what earlier ones added."""
        fingerprint = configuration.hooks_fingerprint
        due = (
            (FileVersion.instrument_id == self.instrument.id)
            & is_other(FileVersion.enriched_hooks, fingerprint)
            & in_state(*DONE)
            & FileVersion.is_newest
            & ~waits_for_hooks(fingerprint, self.facility.now())
        )
        if not configuration.hooks:
            due &= FileVersion.enriched_hooks.is_not(None) | FileVersion.enrichment_error.is_not(None)
        return due if self.days is None else due & FileVersion.acquisition_day.in_(self.days)

    def subject(self, configuration: PostHooks, version: ArchivedFile) -> HookSubject:  # noqa: ARG002 - as for others
        return HookSubject(version.file_id, version.version_id, version.shown)

    def answer(self, configuration: PostHooks, subject: HookSubject) -> Enriched:
        return enrich(configuration.hooks, subject.shown)

    def call(self, configuration: PostHooks, subjects: Sequence[HookSubject]) -> Answers[Enriched]:
        return self.calls.enrichments(configuration.hooks, configuration.hooks_fingerprint, subjects)

    def write(
        self,
        session: Session,
        configuration: PostHooks,
        versions: Sequence[ArchivedFile],
        results: Mapping[uuid.UUID, Enriched],
    ) -> int:
        """Write what the hooks found; returns for how many files one of them failed."""
        fingerprint, now = configuration.hooks_fingerprint, self.facility.now()
        removed = assign_access(session, {file.file_id: results[file.version_id].grants for file in versions})
        problems = {file.version_id: _problems(results[file.version_id], removed) for file in versions}
        metadata = {file.file_id: _metadata(file, results[file.version_id]) for file in versions}
        changed = [file.file_id for file in versions if metadata[file.file_id] != file.metadata]
        update_many(session, FileRecord, [{"id": file_id, "metadata_": metadata[file_id]} for file_id in changed])
        enriched = [
            {
                "id": file.version_id,
                "enrichment_error": problems[file.version_id],
                "enriched_hooks": None if problems[file.version_id] else fingerprint,
            }
            for file in versions
        ]
        update_many(session, FileVersion, enriched)
        left = {each.version_id: _failures(each, results[each.version_id], fingerprint, now) for each in versions}
        record_hook_failures(session, {each.version_id: (each.failures, left[each.version_id]) for each in versions})
        return sum(problem is not None for problem in problems.values())


def _archived(session: Session, instrument: Instrument, which: ColumnElement[bool]) -> list[ArchivedFile]:
    rows = (
        session.connection()
        .execute(
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
        .all()
    )
    failures = hook_failures(session, [version_id for version_id, *_ in rows])
    return [
        ArchivedFile(
            version_id, file_id, metadata, failures.get(version_id, ANSWERED), HookContext(instrument.slug, *shown)
        )
        for version_id, file_id, metadata, *shown in rows
    ]


def _metadata(file: ArchivedFile, enriched: Enriched) -> dict[str, Any]:
    """While a hook that calls out fails, what it found before stays."""
    unanswered = any(isinstance(failure, HookUnanswered) for failure in enriched.failures)
    return {**(file.metadata if unanswered else {}), **enriched.metadata}


def _failures(file: ArchivedFile, enriched: Enriched, fingerprint: str, now: datetime) -> HookFailures:
    """What remains on record: until when the hooks are not asked again, if one that calls out has failed."""
    failure = next((failure for failure in enriched.failures if isinstance(failure, HookUnanswered)), None)
    return ANSWERED if failure is None else file.failures.after(failure, fingerprint, now)


def _problems(enriched: Enriched, removed: Collection[Grantee]) -> str | None:
    gone = [f"a hook grants to a {grantee.type} that is gone" for grantee in enriched.grants if grantee in removed]
    return "; ".join([*map(str, enriched.failures), *gone]) or None
