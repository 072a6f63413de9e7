"""Enrichment: let the post-transfer hooks tell more about archived files. Told anew when these hooks change.

A hook that fails is on record with its file, and asked again: one that is built in at the next harvest, one that calls
out after a while. What the others found is kept.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from streamweave.access.grants import Grantee, assign_access
from streamweave.catalog.bulk import batches, checked, id_batches, is_one_of, update_many
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, HookTrigger, Instrument
from streamweave.catalog.tables.files import DONE
from streamweave.errors import HookUnanswered
from streamweave.facility import Facility
from streamweave.harvest.policy import is_other, waits_for_hooks
from streamweave.hooks.base import HookContext, PostTransferHook
from streamweave.hooks.build import hooks_fingerprint, post_hooks
from streamweave.hooks.calls import BATCH, Answers, Calls, call_out, record_runs
from streamweave.hooks.configuration import active_hooks
from streamweave.hooks.hook_context import HookReach
from streamweave.hooks.recorded_hook import ANSWERED, WAITING_COLUMNS, HookRetry, HookSubject
from streamweave.hooks.run import Enriched, enrich

WAITS = len(WAITING_COLUMNS)


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """An archived file, as the hooks are shown it, with its ids and what it has from earlier enrichments."""

    version_id: uuid.UUID
    file_id: uuid.UUID
    metadata: Mapping[str, Any]
    waiting: HookRetry
    shown: HookContext


def enrich_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> int:
    """Enrich every archived file that these hooks have not enriched yet; returns how many failed."""
    return sum(Enriching(facility, instrument, days, facility.reach.for_a_run(), Calls(facility.now)).batches())


@dataclass(frozen=True)
class Hooks:
    """The hooks after a transfer, as the rows of one moment make them."""

    hooks: Sequence[PostTransferHook]
    fingerprint: str


@dataclass(frozen=True)
class Enriching:
    """The enrichment of one run. Hooks that call out are asked before anything is locked, as ``Filtering`` does."""

    facility: Facility
    instrument: Instrument
    days: Collection[date] | None
    reach: HookReach
    calls: Calls

    def batches(self) -> Iterator[int]:
        """For how many files a hook failed, batch by batch, once it is written."""
        sessions = self.facility.sessions
        with sessions() as session:
            hooks = self._hooks(session)
            wanted = select(FileVersion.id).where(self._is_due(hooks))
            calls_out = call_out(hooks.hooks)
            version_ids = list(session.scalars(wanted)) if calls_out else []
        if calls_out:
            for batch in batches(version_ids, BATCH):
                yield self._enrich(hooks, batch, self._ask(hooks, batch))
        else:
            for batch in id_batches(sessions, wanted):
                yield self._enrich(hooks, batch, None)

    def _hooks(self, session: Session) -> Hooks:
        rows = active_hooks(session, self.instrument.id, HookTrigger.POST_TRANSFER)
        hooks = post_hooks(rows, self.reach)
        return Hooks(hooks, hooks_fingerprint(rows, hooks))

    def _is_due(self, hooks: Hooks) -> ColumnElement[bool]:
        due = _is_due(self.instrument, hooks.fingerprint, self.days, tell_nothing=not hooks.hooks)
        return due & ~waits_for_hooks(hooks.fingerprint, self.facility.now())

    def _still_due(self, session: Session, hooks: Hooks, version_ids: Sequence[uuid.UUID]) -> list[ArchivedFile]:
        is_due = checked(self._is_due(hooks))
        return _archived(session, self.instrument, is_one_of(FileVersion.id, version_ids) & is_due)

    def _ask(self, hooks: Hooks, version_ids: Sequence[uuid.UUID]) -> Answers[Enriched]:
        with self.facility.sessions() as session:
            files = self._still_due(session, hooks, version_ids)
        subjects = [HookSubject(file.file_id, file.version_id, file.shown) for file in files]
        return self.calls.enrichments(hooks.hooks, hooks.fingerprint, subjects)

    def _enrich(self, hooks: Hooks, version_ids: Sequence[uuid.UUID], asked: Answers[Enriched] | None) -> int:
        """Write what the hooks tell about these files; returns for how many one of them failed."""
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            if asked is not None:
                record_runs(session, asked.runs)
                hooks = self._hooks(session)  # those who answered may not be asked any more
            files = self._still_due(session, hooks, version_ids)
            if asked is None:
                told = {file.version_id: enrich(hooks.hooks, file.shown) for file in files}
            else:
                files = [file for file in files if asked.hold(hooks.fingerprint, file.version_id, file.shown)]
                told = asked.results
            return _write(session, files, told, hooks.fingerprint, self.facility.now())


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


def _archived(session: Session, instrument: Instrument, which: ColumnElement[bool]) -> list[ArchivedFile]:
    rows = session.connection().execute(
        select(
            FileVersion.id,
            FileRecord.id,
            FileRecord.metadata_,
            *WAITING_COLUMNS,
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
        ArchivedFile(
            version_id, file_id, metadata, HookRetry(*others[:WAITS]), HookContext(instrument.slug, *others[WAITS:])
        )
        for version_id, file_id, metadata, *others in rows
    ]


def _write(
    session: Session,
    files: Sequence[ArchivedFile],
    told: Mapping[uuid.UUID, Enriched],
    fingerprint: str,
    now: datetime,
) -> int:
    """Write what the hooks told about these files; returns for how many one of them failed."""
    removed = assign_access(session, {file.file_id: told[file.version_id].grants for file in files})
    problems = {file.version_id: _problems(told[file.version_id], removed) for file in files}
    metadata = {file.file_id: _metadata(file, told[file.version_id]) for file in files}
    changed = [file.file_id for file in files if metadata[file.file_id] != file.metadata]
    update_many(session, FileRecord, [{"id": file_id, "metadata_": metadata[file_id]} for file_id in changed])
    enriched = [
        {
            "id": file.version_id,
            "enrichment_error": problems[file.version_id],
            "enriched_hooks": None if problems[file.version_id] else fingerprint,
            **_wait(file, told[file.version_id], fingerprint, now),
        }
        for file in files
    ]
    update_many(session, FileVersion, enriched)
    return sum(problem is not None for problem in problems.values())


def _metadata(file: ArchivedFile, enriched: Enriched) -> dict[str, Any]:
    """While a hook that calls out fails, what it told before stays."""
    unanswered = any(isinstance(failure, HookUnanswered) for failure in enriched.failures)
    return {**(file.metadata if unanswered else {}), **enriched.metadata}


def _wait(file: ArchivedFile, enriched: Enriched, fingerprint: str, now: datetime) -> Mapping[str, Any]:
    """Until when the hooks are not asked about this file again, after the first of those that call out has failed."""
    failure = next((failure for failure in enriched.failures if isinstance(failure, HookUnanswered)), None)
    waiting = ANSWERED if failure is None else file.waiting.after(failure, fingerprint, now)
    return waiting._asdict()


def _problems(enriched: Enriched, removed: Collection[Grantee]) -> str | None:
    gone = [f"a hook grants to a {grantee.type} that is gone" for grantee in enriched.grants if grantee in removed]
    return "; ".join([*map(str, enriched.failures), *gone]) or None
