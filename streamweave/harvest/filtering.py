"""Filtering: let the pre-transfer hooks decide on settled files, and plan a transfer to each storage location.

Skipped files are decided anew when the hooks change; archived ones are planned for again when a schedule names a
further storage location. A file that can't be decided on stays where it is, with the reason.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import (
    FileRecord,
    FileVersion,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.errors import HookFailed
from streamweave.facility import Facility
from streamweave.harvest.failures import retry_delay
from streamweave.harvest.knowledge import is_claimed
from streamweave.harvest.naming import destination_path
from streamweave.harvest.policy import Policy, policy_for
from streamweave.harvest.recording import withdraw_waiting_transfers
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.hooks.base import HookContext, Redirect, Skip
from streamweave.hooks.running import decide

VERSIONS_PER_TRANSACTION = 500
NO_DESTINATION = "no enabled schedule names a storage location for this instrument"


def filter_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> HarvestReport:
    """Decide on everything undecided of an instrument, or of some acquisition days of it.

    The report names what was skipped and what could not be decided on; what is planned shows up when it is transferred.
    """
    report = HarvestReport()
    after: uuid.UUID | None = None
    while True:
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            policy = policy_for(session, instrument)
            undecided = _undecided(session, instrument, policy, days, after)
            before = _transfers_of(session, [version.id for version, _ in undecided])
            for version, record in undecided:
                decision = _Decision(
                    session, instrument, policy, version, record, before.get(version.id, set()), facility.now()
                )
                outcome = decision.make()
                if outcome is not None:
                    report.add(outcome)
        if not undecided:
            return report
        after = undecided[-1][0].id


def _undecided(
    session: Session,
    instrument: Instrument,
    policy: Policy,
    days: Collection[date] | None,
    after: uuid.UUID | None,
) -> Sequence[tuple[FileVersion, FileRecord]]:
    query = (
        select(FileVersion, FileRecord)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(FileVersion.instrument_id == instrument.id, policy.is_undecided(), ~is_claimed())
    )
    if days is not None:
        query = query.where(FileVersion.acquisition_day.in_(days))
    if after is not None:
        query = query.where(FileVersion.id > after)
    return [row._tuple() for row in session.execute(query.order_by(FileVersion.id).limit(VERSIONS_PER_TRANSACTION))]


def _transfers_of(session: Session, version_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, set[tuple[uuid.UUID, str]]]:
    """The storage locations and statuses of the transfers that these versions have already."""
    found: dict[uuid.UUID, set[tuple[uuid.UUID, str]]] = {}
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.status)
    for version_id, location_id, status in session.execute(rows.where(Transfer.version_id.in_(version_ids))):
        found.setdefault(version_id, set()).add((location_id, status))
    return found


@dataclass(frozen=True)
class _Decision:
    """The decision on one version, and what is written because of it."""

    session: Session
    instrument: Instrument
    policy: Policy
    version: FileVersion
    record: FileRecord
    transfers: set[tuple[uuid.UUID, str]]
    now: datetime

    def make(self) -> FileOutcome | None:
        """Decide; returns what to report now, or None for a version whose transfers are planned."""
        if not self.policy.destinations:
            return self._leave(NO_DESTINATION, again_at=None)
        try:
            decision = decide(self.policy.hooks, self._context())
        except HookFailed as error:
            return self._leave(str(error), again_at=self._a_while_later)
        if isinstance(decision, Skip) and self.version.state not in (VersionState.ARCHIVED, VersionState.UNCHANGED):
            return self._skip(decision.reason)
        if isinstance(decision, Redirect):
            location = self.policy.locations.get(decision.destination)
            if location is None:
                reason = f"redirected to '{decision.destination}', which is no enabled storage location"
                return self._leave(reason, again_at=self._a_while_later)
            self._plan([location], redirected=True)
        else:
            self._plan(self.policy.destinations, redirected=False)
        return None

    def _context(self) -> HookContext:
        return HookContext(
            instrument_slug=self.instrument.slug,
            source_path=self.record.source_path,
            filename=self.record.filename,
            size_bytes=self.version.size_bytes,
            mtime=self.version.source_mtime,
        )

    @property
    def _a_while_later(self) -> datetime:
        return self.now + retry_delay(self.instrument, 0)

    def _leave(self, reason: str, *, again_at: datetime | None) -> FileOutcome:
        """Not decided: it stays settled, and no sensor need ask for it before ``again_at``."""
        self._withdraw(reason)
        if self.version.state == VersionState.PENDING:
            self.version.state, self.version.state_since = VersionState.SETTLED, self.now
        if self.version.state == VersionState.SETTLED:
            self.version.reason = reason
            self.version.retry_at = again_at
        return self._outcome(reason)

    def _skip(self, reason: str) -> FileOutcome:
        self._withdraw(reason)
        self._enter(VersionState.SKIPPED, reason)
        for location in self.policy.destinations:
            if (location.id, TransferStatus.SKIPPED) not in self.transfers:
                self._add_transfer(location, TransferStatus.SKIPPED, reason)
        return self._outcome(reason)

    def _plan(self, locations: Sequence[StorageLocation], *, redirected: bool) -> None:
        self._withdraw("planned anew: hooks or schedules have changed")
        missing = [each for each in locations if (each.id, TransferStatus.COMPLETED) not in self.transfers]
        for location in missing:
            self._add_transfer(location, TransferStatus.PENDING, None)
        self.version.redirected = redirected
        if missing:
            if self.version.state == VersionState.UNCHANGED:  # its content belongs to the version that holds it
                self.version.xxhash = self.version.sha256 = None
            if self.version.failures == 0:  # else it is still held back by what went wrong
                self.version.retry_at = None
            self._enter(VersionState.PENDING, "waits for its transfer")
        elif self.version.state != VersionState.UNCHANGED:
            self._enter(VersionState.ARCHIVED, "")
            self.version.archived_at = self.version.archived_at or self.now
            self.version.retry_at = None

    def _withdraw(self, why: str) -> None:
        if any(status == TransferStatus.PENDING for _, status in self.transfers):
            withdraw_waiting_transfers(self.session, [self.version.id], why, self.now)

    def _enter(self, state: VersionState, reason: str) -> None:
        if self.version.state != state:
            self.version.state_since = self.now
        self.version.state, self.version.reason = state, reason
        self.version.decided_hooks = self.policy.hooks_fingerprint
        self.version.decided_destinations = self.policy.destinations_fingerprint

    def _add_transfer(self, location: StorageLocation, status: TransferStatus, message: str | None) -> None:
        path = destination_path(self.instrument.archive_folder, self.record.source_path, self.version.number)
        self.session.add(
            Transfer(
                file_id=self.record.id,
                version_id=self.version.id,
                instrument_id=self.instrument.id,
                storage_location_id=location.id,
                destination_path=path,
                transfer_adapter=self.instrument.transfer_adapter,
                status=status,
                error_message=message,
                created_at=self.now,
                completed_at=self.now if status == TransferStatus.SKIPPED else None,
            )
        )

    def _outcome(self, reason: str) -> FileOutcome:
        return FileOutcome(
            source_path=self.record.source_path,
            day=self.version.acquisition_day,
            state=VersionState(self.version.state),
            size_bytes=self.version.size_bytes,
            reason=reason,
        )
