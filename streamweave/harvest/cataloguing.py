"""Cataloguing: the proof of a copy, or its failure and what follows, goes on record; a batch in one short transaction.

Only claims that this run still holds are written: a run that was taken for dead finds its claims gone, and its copies
are taken over by whoever holds them now.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Transfer, TransferStatus, VersionState
from streamweave.errors import StreamWeaveError
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest
from streamweave.harvest.failures import consequence
from streamweave.harvest.recording import withdraw_waiting_transfers
from streamweave.harvest.report import FileOutcome


@dataclass(frozen=True, slots=True)
class Archived:
    """A claim whose bytes stand, proven and durable, under their final name. ``address`` is that place for a person."""

    claim: Claim
    digest: Digest
    address: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A claim whose content turned out to be that of an archived version of the same file."""

    claim: Claim
    digest: Digest


@dataclass(frozen=True, slots=True)
class Failed:
    """A claim that could not be fulfilled."""

    claim: Claim
    error: StreamWeaveError


Result = Archived | Unchanged | Failed


def archived_contents(session: Session, file_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], uuid.UUID]:
    """The contents of these files that are archived: the version that holds each, by file and sha256."""
    rows = session.execute(
        select(FileVersion.file_id, FileVersion.sha256, FileVersion.id).where(
            FileVersion.file_id.in_(file_ids),
            FileVersion.sha256.is_not(None),
            FileVersion.state != VersionState.UNCHANGED,
        )
    )
    return {(file_id, sha256): version_id for file_id, sha256, version_id in rows}


def catalogue(
    facility: Facility, instrument: Instrument, run_id: uuid.UUID, results: Sequence[Result]
) -> list[FileOutcome]:
    """Write what became of some claims; returns the outcomes of those that this run still held."""
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        held = _held(session, run_id, [result.claim.transfer_id for result in results])
        versions = _versions(session, [result.claim.version_id for result in results])
        mine = [result for result in results if result.claim.transfer_id in held]
        entry = _Entry(session, instrument, facility.now())
        for result in mine:
            entry.write(result, held[result.claim.transfer_id], versions[result.claim.version_id])
        entry.conclude({result.claim.version_id: versions[result.claim.version_id] for result in mine})
        return [_outcome(result, versions[result.claim.version_id]) for result in mine]


def _held(session: Session, run_id: uuid.UUID, transfer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Transfer]:
    rows = session.scalars(
        select(Transfer).where(
            Transfer.id.in_(transfer_ids),
            Transfer.run_id == run_id,
            Transfer.status == TransferStatus.IN_PROGRESS,
        )
    )
    return {transfer.id: transfer for transfer in rows}


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
            case Archived(_, digest):
                self._write_proof(transfer, version, digest)
            case Unchanged(_, digest):
                self._write_unchanged(transfer, version, digest, "its content is that of an archived version")
            case Failed(claim, error):
                self._write_failure(transfer, version, claim, error)

    def _write_proof(self, transfer: Transfer, version: FileVersion, digest: Digest) -> None:
        transfer.status = TransferStatus.COMPLETED
        transfer.bytes_transferred = digest.size_bytes
        transfer.source_checksum = transfer.dest_checksum = digest.xxhash
        transfer.checksum_verified = True
        transfer.last_verified_at = self.now
        self._write_digest(version, digest)

    def _write_unchanged(self, transfer: Transfer, version: FileVersion, digest: Digest, why: str) -> None:
        transfer.status, transfer.error_message = TransferStatus.SKIPPED, why
        transfer.source_checksum = digest.xxhash
        self._enter(version, VersionState.UNCHANGED, why)
        self._write_digest(version, digest)

    def _write_digest(self, version: FileVersion, digest: Digest) -> None:
        version.xxhash, version.sha256 = digest.xxhash, digest.sha256
        if version.is_newest:
            self.session.execute(
                update(FileRecord),
                [{"id": version.file_id, "xxhash": digest.xxhash, "sha256": digest.sha256}],
            )

    def _write_failure(self, transfer: Transfer, version: FileVersion, claim: Claim, error: StreamWeaveError) -> None:
        transfer.status = TransferStatus.FAILED
        transfer.error_kind, transfer.error_message = error.kind(), str(error)
        following = consequence(error, claim.failures, self.instrument, self.now)
        version.failures, version.retry_at = following.failures, following.retry_at
        if following.state == VersionState.SETTLING:
            version.unchanged_since = version.observed_at = self.now
        self._enter(version, following.state, following.reason)
        if following.retry_at is not None:
            self.session.add(_next_attempt(transfer, self.now))

    def _enter(self, version: FileVersion, state: VersionState, reason: str) -> None:
        if version.state != state:
            version.state_since = self.now
        version.state, version.reason = state, reason

    def conclude(self, versions: Mapping[uuid.UUID, FileVersion]) -> None:
        """A version that waits for nothing more is archived; one that left the way has its transfers withdrawn."""
        self.session.flush()
        open_ends = self._with_live_transfers(versions)
        for version in versions.values():
            if version.state == VersionState.PENDING and version.id not in open_ends:
                self._enter(version, VersionState.ARCHIVED, "")
                version.archived_at, version.retry_at, version.failures = self.now, None, 0
        strayed = [v.id for v in versions.values() if v.state not in (VersionState.PENDING, VersionState.FAILED)]
        withdraw_waiting_transfers(self.session, strayed, "the file left the way into the archive", self.now)

    def _with_live_transfers(self, version_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        under_way = Transfer.status.in_((TransferStatus.PENDING, TransferStatus.IN_PROGRESS))
        return set(
            self.session.scalars(select(Transfer.version_id).where(Transfer.version_id.in_(version_ids), under_way))
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
