"""Results: what became of a claim, and what follows from it for its transfer and its version. Pure."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamweave.catalog.tables import Instrument, TransferStatus, VersionState
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import StreamWeaveError
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import Digest
from streamweave.harvest.failures import Consequence, consequence
from streamweave.harvest.recording import GONE_BEFORE_ALL
from streamweave.harvest.report import FileOutcome
from streamweave.harvest.standing import Standing

ARCHIVED_BEFORE = "its content is that of an archived version"


@dataclass(frozen=True, slots=True)
class Archived:
    """A claim whose bytes stand, proven and durable, under their final name, ``destination_path``.

    ``holder`` is the version that they are a copy of: the claimed one, or an earlier one with the same content.
    ``address`` is the place for a person. ``number`` and ``source_mtime`` are the holder's, None if it is the claimed
    one; ``repairs`` counts the copies of it that were found damaged in this storage location. ``is_unfinished``: the
    instrument may not have finished the holder's content.
    """

    claim: Claim
    digest: Digest
    holder: uuid.UUID
    destination_path: str
    address: str
    number: int | None = None
    source_mtime: datetime | None = None
    repairs: int = 0
    is_unfinished: bool = False


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


def consequence_of(failed: Failed, instrument: Instrument, now: datetime) -> Consequence:
    """What follows from a failure."""
    claim = failed.claim
    return consequence(failed.error, failures=claim.failures, attempt=claim.attempt, instrument=instrument, now=now)


def transfer_after(result: Result, now: datetime) -> dict[str, Any]:
    """The columns of the claimed transfer that the result ends, its claim among them."""
    ended = {"id": result.claim.transfer_id, "claim_id": result.claim.claim_id, "completed_at": now}
    match result:
        case Archived(_, digest, holder, destination_path):
            place = {"version_id": holder, "destination_path": destination_path}
            is_as_planned = (holder, destination_path) == (result.claim.version_id, result.claim.destination_path)
            return (ended if is_as_planned else ended | place) | {
                "status": TransferStatus.COMPLETED,
                "bytes_transferred": digest.size_bytes,
                "source_checksum": digest.xxhash,
                "dest_checksum": digest.xxhash,
                "checksum_verified": True,
                "last_verified_at": now,
            }
        case Unchanged(_, digest):
            skipped = {"status": TransferStatus.SKIPPED, "error_message": ARCHIVED_BEFORE}
            return ended | skipped | {"source_checksum": digest.xxhash}
        case Failed(_, error):
            return ended | {
                "status": TransferStatus.FAILED,
                "error_kind": error.kind(),
                "error_message": str(error),
            }


def next_attempt(failed: Failed, instrument: Instrument, now: datetime) -> dict[str, Any]:
    """The row of a further transfer for the same version and storage location."""
    claim = failed.claim
    return {
        "id": uuid7(),
        "file_id": claim.file_id,
        "version_id": claim.version_id,
        "instrument_id": instrument.id,
        "storage_location_id": claim.storage_location_id,
        "destination_path": claim.destination_path,
        "transfer_adapter": instrument.transfer_adapter,
        "status": TransferStatus.PENDING,
        "attempt": claim.attempt + 1,
        "created_at": now,
    }


def version_after(result: Result, version: Standing, instrument: Instrument, now: datetime) -> Standing:
    """Where the claimed version stands once this result is on record, whatever its other transfers do."""
    match result:
        case Archived(_, digest, holder) if holder == version.id:
            return version._replace(xxhash=digest.xxhash, sha256=digest.sha256)
        case Failed():
            following = consequence_of(result, instrument, now)
            others: dict[str, Any] = {"failures": following.failures, "retry_at": following.retry_at}
            if following.state in WATCHED:
                others |= {"unchanged_since": now, "observed_at": now, "unfinished": None}
            if version.state == VersionState.FAILED:  # a person looks after it; another location changes nothing
                return version._replace(**others)
            return version.entering(following.state, following.reason, now, **others)
    return version


def archived(now: datetime, reason: str = "") -> dict[str, Any]:
    """The columns of a version that was pending, and is archived now; ``reason`` is a reservation, if there is one."""
    reached = {"state": VersionState.ARCHIVED, "reason": reason, "state_since": now, "archived_at": now}
    return reached | {"retry_at": None, "failures": 0}


def concluded(result: Result, version: Standing, now: datetime, *, has_a_copy: bool) -> Standing:
    """Where a version stands that waits for nothing more; ``result`` is one of those that it waited for."""
    if version.state == VersionState.VANISHED and has_a_copy:  # decided anew, should it be there after all
        others: dict[str, Any] = {"archived_at": version.archived_at or now, "decided_destinations": None}
        return version.entering(VersionState.ARCHIVED, GONE_BEFORE_ALL, now, **others)
    if version.state != VersionState.PENDING:
        return version
    if has_a_copy:
        return version._replace(**archived(now, version.unfinished or ""))
    if isinstance(result, Failed):
        return version._replace(retry_at=None, failures=0)
    digests = {"xxhash": result.digest.xxhash, "sha256": result.digest.sha256}
    return version.entering(VersionState.UNCHANGED, ARCHIVED_BEFORE, now, retry_at=None, failures=0, **digests)


def outcome_of(result: Result, state: str, reason: str) -> FileOutcome:
    """What to report of a claim whose version is in this state now."""
    is_archived = isinstance(result, Archived)
    return FileOutcome(
        source_path=result.claim.source_path,
        day=result.claim.day,
        state=VersionState.ARCHIVED if is_archived else VersionState(state),
        size_bytes=result.claim.size_bytes,
        reason=reason,
        destination=result.address if isinstance(result, Archived) else "",
    )
