"""The backlog: which files of an instrument wait for a harvest, and which have waited too long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.leases import is_dead
from streamweave.catalog.tables import (
    IS_OPEN,
    FileRecord,
    FileVersion,
    HarvestRun,
    HookRetry,
    Instrument,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.files import DONE, in_state
from streamweave.harvest.claims import is_due
from streamweave.harvest.policy import Policy

NEEDS_ATTENTION = (VersionState.OVERDUE, VersionState.FAILED, VersionState.UNREADABLE, VersionState.VANISHED)


def days_with_work(session: Session, instrument: Instrument, policy: Policy, now: datetime) -> list[date]:
    """The acquisition days for which a harvest would do something at this moment, in order."""
    of_transfers = select(FileVersion.acquisition_day).join(Transfer, Transfer.version_id == FileVersion.id).distinct()
    orphaned = of_transfers.join(HarvestRun, HarvestRun.id == Transfer.run_id).where(
        Transfer.instrument_id == instrument.id, IS_OPEN, Transfer.status == TransferStatus.IN_PROGRESS, is_dead()
    )
    days = {*session.scalars(of_transfers.where(is_due(instrument.id, now))), *session.scalars(orphaned)}
    if policy.destinations:
        undecided = (
            select(FileVersion.acquisition_day)
            .join(FileRecord, FileRecord.id == FileVersion.file_id)
            .where(
                FileVersion.instrument_id == instrument.id,
                policy.is_undecided(now),
                or_(
                    FileVersion.state != VersionState.SETTLED,
                    FileVersion.retry_at.is_(None),
                    FileVersion.retry_at <= now,
                    # it is time to ask its hooks again, or they have changed
                    exists().where(HookRetry.version_id == FileVersion.id),
                ),
            )
        )
        days |= set(session.scalars(undecided.distinct()))
    days |= set(session.scalars(_days_to_enrich_again(instrument, now)))
    return sorted(days)


def _days_to_enrich_again(instrument: Instrument, now: datetime) -> Select[tuple[date]]:
    """The days of archived files for which a hook that calls out has failed, and is due to be asked again."""
    return (
        select(FileVersion.acquisition_day)
        .join(HookRetry, HookRetry.version_id == FileVersion.id)
        .where(
            FileVersion.instrument_id == instrument.id,
            HookRetry.retry_at <= now,
            in_state(*DONE),
            FileVersion.is_newest,
            FileVersion.enrichment_error.is_not(None),
        )
        .distinct()
    )


def versions_by_state(session: Session, instrument: Instrument) -> dict[VersionState, int]:
    """How many of the instrument's files are in which state (by their newest version)."""
    rows = session.execute(
        select(FileVersion.state, func.count())
        .where(FileVersion.instrument_id == instrument.id, FileVersion.is_newest)
        .group_by(FileVersion.state)
    )
    return {VersionState(state): number for state, number in rows}


@dataclass(frozen=True, slots=True)
class Straggler:
    """A file that needs attention. ``since`` is UTC."""

    source_path: str
    state: VersionState
    reason: str
    since: datetime


def stragglers(session: Session, instrument: Instrument, limit: int = 100) -> Sequence[Straggler]:
    """The files that need attention, those that have waited longest first."""
    rows = session.execute(
        select(FileRecord.source_path, FileVersion.state, FileVersion.reason, FileVersion.state_since)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(FileVersion.instrument_id == instrument.id, FileVersion.is_newest, in_state(*NEEDS_ATTENTION))
        .order_by(FileVersion.state_since)
        .limit(limit)
    )
    return [Straggler(path, VersionState(state), reason, since) for path, state, reason, since in rows]
