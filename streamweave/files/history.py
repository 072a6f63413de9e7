"""A file's history: one list of dated events, told by the rows that the harvest left."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from streamweave.catalog.tables import FileRecord, FileVersion, HookRun, Transfer, TransferStatus, User, VersionState
from streamweave.catalog.tables.hooks import FAILURES
from streamweave.files.questions import file_by_id
from streamweave.harvest.source_check import FOUND_BY_REREADING

LONGEST = 1000  # versions or transfers, the newest ones: what is older is in their own lists


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a file, in a word, and when (UTC).

    Words: ``discovered``, ``changed`` (a new version was seen), ``planned`` (a copy into ``storage_location``),
    ``copying``, ``transferred``, ``transfer_failed``, ``verified`` (its copy was re-read later), ``damaged``,
    ``source_verified`` (the source was read again, and has the archived content), ``gone``, ``withdrawn``, ``hook_ran``
    and ``hook_failed`` (a script or webhook); and each state of a version that it stands in now, such as ``settling``,
    ``skipped`` or ``archived``.
    """

    at: datetime
    event: str
    version: int | None = None
    detail: str | None = None
    storage_location: str | None = None
    transfer_id: uuid.UUID | None = None


def history_of(session: Session, viewer: User, file_id: uuid.UUID) -> list[Event]:
    """The file's events, oldest first. Raises ``NotFound`` for what ``viewer`` may not see, too."""
    record = file_by_id(session, viewer, file_id).file
    versions = session.scalars(
        select(FileVersion).where(FileVersion.file_id == file_id).order_by(FileVersion.number.desc()).limit(LONGEST)
    )
    transfers = session.scalars(
        select(Transfer)
        .where(Transfer.file_id == file_id)
        .options(joinedload(Transfer.storage_location), joinedload(Transfer.version))
        .order_by(Transfer.created_at.desc())
        .limit(LONGEST)
    )
    runs = session.scalars(
        select(HookRun)
        .where(HookRun.file_id == file_id)
        .options(joinedload(HookRun.hook), joinedload(HookRun.version))
        .order_by(HookRun.started_at.desc(), HookRun.id.desc())
        .limit(LONGEST)
    )
    events = list(_of_record(record))
    events += (event for version in versions for event in _of_version(version))
    events += (event for transfer in transfers for event in _of_transfer(transfer))
    events += map(_of_hook_run, runs)
    return sorted(events, key=lambda event: event.at)


def _of_record(record: FileRecord) -> Iterator[Event]:
    yield Event(record.first_discovered_at, "discovered")
    if record.gone_at is not None:
        yield Event(record.gone_at, "gone", detail="a complete listing of the share lacked it")
    if record.withdrawn_at is not None:
        yield Event(record.withdrawn_at, "withdrawn", detail=record.withdrawn_reason)


def _of_version(version: FileVersion) -> Iterator[Event]:
    if version.number > 1:
        detail = FOUND_BY_REREADING if version.found_by_rereading else None
        yield Event(version.discovered_at, "changed", version.number, detail)
    if version.archived_at is not None:
        yield Event(version.archived_at, VersionState.ARCHIVED, version.number, version.unfinished)
    if version.source_verified_at is not None:
        yield Event(version.source_verified_at, "source_verified", version.number)
    if version.archived_at is None or version.state != VersionState.ARCHIVED:
        yield Event(version.state_since, version.state, version.number, version.reason or None)


def _of_transfer(transfer: Transfer) -> Iterator[Event]:
    ended = "transfer_failed" if transfer.status == TransferStatus.FAILED else "transferred"
    reread = "verified" if transfer.damage is None else "damaged"
    moments = [
        (transfer.created_at, "planned", None),
        (transfer.started_at, "copying", None),
        (transfer.completed_at, ended, transfer.error_message),
        (transfer.last_verified_at, reread, transfer.damage),
    ]
    for at, event, detail in moments:
        if at is not None:
            name = transfer.storage_location.name
            yield Event(at, event, transfer.version.number, detail, name, transfer.id)


def _of_hook_run(run: HookRun) -> Event:
    event = "hook_failed" if run.outcome in FAILURES else "hook_ran"
    told = f"{run.outcome}: {run.message}" if run.message else run.outcome
    return Event(run.started_at, event, run.version.number, f"{run.hook.name}: {told}")
