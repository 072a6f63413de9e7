"""Cataloguing: the proof of a copy, or its failure and what follows, goes on record; a batch in one short transaction.

Only claims that this run still holds are written: a run that was taken for dead finds its claims gone, and its copies
are taken over by whoever holds them now.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Transfer, TransferStatus, VersionState
from streamweave.catalog.tables.file_versions import WATCHED
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest
from streamweave.harvest.failures import consequence
from streamweave.harvest.recording import GONE_BEFORE_ALL, withdraw_waiting_transfers
from streamweave.harvest.report import FileOutcome


@dataclass(frozen=True, slots=True)
class Archived:
    """A claim whose bytes stand, proven and durable, under their final name, ``destination_path``.

    ``holder`` is the version that they are a copy of: the claimed one, or an earlier one with the same content.
    ``address`` is the place for a person.
    """

    claim: Claim
    digest: Digest
    holder: uuid.UUID
    destination_path: str
    address: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A claim whose content turned out to be archived in this storage location, as an earlier version."""

    claim: Claim
    digest: Digest


@dataclass(frozen=True, slots=True)
class Failed:
    """A claim that could not be fulfilled."""

    claim: Claim
    error: StreamWeaveError


Result = Archived | Unchanged | Failed
ARCHIVED_BEFORE = "its content is that of an archived version"


@dataclass(frozen=True, slots=True)
class Holder:
    """The version that holds some content, and the storage locations that have it."""

    version_id: uuid.UUID
    number: int
    locations: frozenset[uuid.UUID]


def holders(session: Session, file_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], Holder]:
    """Who holds the contents of these files that are archived somewhere, by file and sha256."""
    rows = session.execute(
        select(
            FileVersion.file_id,
            FileVersion.sha256,
            FileVersion.id,
            FileVersion.number,
            func.array_agg(Transfer.storage_location_id),
        )
        .join(Transfer, (Transfer.version_id == FileVersion.id) & (Transfer.status == TransferStatus.COMPLETED))
        .where(FileVersion.file_id.in_(file_ids))
        .group_by(FileVersion.id)
    )
    return {
        (file_id, sha256): Holder(version_id, number, frozenset(locations))
        for file_id, sha256, version_id, number, locations in rows
    }


def catalogue(
    facility: Facility, instrument: Instrument, run_id: uuid.UUID, results: Sequence[Result]
) -> list[FileOutcome]:
    """Write what became of some claims; returns the outcomes of those that this run still held."""
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        held = _held(session, run_id, [result.claim.claim_id for result in results])
        versions = _versions(session, [result.claim.version_id for result in results])
        mine = [result for result in results if result.claim.claim_id in held]
        entry = _Entry(session, instrument, facility.now())
        for result in mine:
            entry.write(result, held[result.claim.claim_id], versions[result.claim.version_id])
        entry.conclude(mine, {result.claim.version_id: versions[result.claim.version_id] for result in mine})
        return [_outcome(result, versions[result.claim.version_id]) for result in mine]


def _held(session: Session, run_id: uuid.UUID, claim_ids: Collection[uuid.UUID]) -> dict[uuid.UUID | None, Transfer]:
    rows = session.scalars(
        select(Transfer).where(
            Transfer.claim_id.in_(claim_ids),
            Transfer.run_id == run_id,
            Transfer.status == TransferStatus.IN_PROGRESS,
        )
    )
    return {transfer.claim_id: transfer for transfer in rows}


def _versions(session: Session, version_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, FileVersion]:
    rows = session.scalars(select(FileVersion).where(FileVersion.id.in_(version_ids)))
    return {version.id: version for version in rows}


@dataclass(frozen=True)
class _Entry:
    """What is written in one transaction."""

    session: Session
    instrument: Instrument
    now: datetime

    def write(self, result: Result, transfer: Transfer, version: FileVersion) -> None:
        """Write one result into its transfer and its version."""
        transfer.completed_at = self.now
        match result:
            case Archived(_, digest, holder, destination_path):
                transfer.version_id, transfer.destination_path = holder, destination_path
                self._write_proof(transfer, digest)
            case Unchanged(_, digest):
                transfer.status, transfer.error_message = TransferStatus.SKIPPED, ARCHIVED_BEFORE
                transfer.source_checksum = digest.xxhash
            case Failed(claim, error):
                self._write_failure(transfer, version, claim, error)
                return
        if version.is_newest:
            self.session.execute(
                update(FileRecord),
                [{"id": version.file_id, "xxhash": digest.xxhash, "sha256": digest.sha256}],
            )
        if isinstance(result, Archived) and result.holder == version.id:
            version.xxhash, version.sha256 = digest.xxhash, digest.sha256

    def _write_proof(self, transfer: Transfer, digest: Digest) -> None:
        transfer.status = TransferStatus.COMPLETED
        transfer.bytes_transferred = digest.size_bytes
        transfer.source_checksum = transfer.dest_checksum = digest.xxhash
        transfer.checksum_verified = True
        transfer.last_verified_at = self.now

    def _write_failure(self, transfer: Transfer, version: FileVersion, claim: Claim, error: StreamWeaveError) -> None:
        transfer.status = TransferStatus.FAILED
        transfer.error_kind, transfer.error_message = error.kind(), str(error)
        following = consequence(
            error, failures=claim.failures, attempt=claim.attempt, instrument=self.instrument, now=self.now
        )
        version.failures, version.retry_at = following.failures, following.retry_at
        if following.state == VersionState.PENDING:
            self.session.add(_next_attempt(transfer, self.now))
        if following.state in WATCHED:
            version.unchanged_since = version.observed_at = self.now
        if version.state != VersionState.FAILED:  # a person looks after it; another storage location changes nothing
            self._enter(version, following.state, following.reason)

    def _enter(self, version: FileVersion, state: VersionState, reason: str) -> None:
        if version.state != state:
            version.state_since = self.now
        version.state, version.reason = state, reason

    def conclude(self, results: Sequence[Result], versions: Mapping[uuid.UUID, FileVersion]) -> None:
        """A version that waits for nothing more is done; one that left the way has its other transfers withdrawn."""
        self.session.flush()
        open_ends = self._with(versions, TransferStatus.PENDING, TransferStatus.IN_PROGRESS)
        copied = self._with(versions, TransferStatus.COMPLETED)
        for result in results:
            version = versions[result.claim.version_id]
            if version.id in open_ends:
                continue
            if version.state == VersionState.PENDING:
                self._finish(version, result, has_a_copy=version.id in copied)
            elif version.state == VersionState.VANISHED and version.id in copied:
                self._enter(version, VersionState.ARCHIVED, GONE_BEFORE_ALL)
        strayed = [v.id for v in versions.values() if v.state not in (VersionState.PENDING, VersionState.FAILED)]
        withdraw_waiting_transfers(self.session, strayed, "the file left the way into the archive", self.now)

    def _finish(self, version: FileVersion, result: Result, *, has_a_copy: bool) -> None:
        version.retry_at, version.failures = None, 0
        if has_a_copy:
            self._enter(version, VersionState.ARCHIVED, "")
            version.archived_at = self.now
        elif not isinstance(result, Failed):
            self._enter(version, VersionState.UNCHANGED, ARCHIVED_BEFORE)
            version.xxhash, version.sha256 = result.digest.xxhash, result.digest.sha256

    def _with(self, version_ids: Collection[uuid.UUID], *statuses: TransferStatus) -> set[uuid.UUID]:
        """Which of these versions have transfers of such a status."""
        return set(
            self.session.scalars(
                select(Transfer.version_id).where(Transfer.version_id.in_(version_ids), Transfer.status.in_(statuses))
            )
        )


def _next_attempt(failed: Transfer, now: datetime) -> Transfer:
    return Transfer(
        file_id=failed.file_id,
        version_id=failed.version_id,
        instrument_id=failed.instrument_id,
        storage_location_id=failed.storage_location_id,
        destination_path=failed.destination_path,
        transfer_adapter=failed.transfer_adapter,
        status=TransferStatus.PENDING,
        attempt=failed.attempt + 1,
        created_at=now,
    )


def _outcome(result: Result, version: FileVersion) -> FileOutcome:
    return FileOutcome(
        source_path=result.claim.source_path,
        day=result.claim.day,
        state=VersionState(version.state) if not isinstance(result, Archived) else VersionState.ARCHIVED,
        size_bytes=result.claim.size_bytes,
        reason=version.reason,
        destination=result.address if isinstance(result, Archived) else "",
    )
