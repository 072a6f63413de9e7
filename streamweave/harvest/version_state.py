"""The state of a version: its recorded fields, the result of a claim, and, decided purely, what follows from it."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import is_one_of, update_many
from streamweave.catalog.tables import FileVersion, Instrument, TransferStatus, VersionState
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import WATCHED
from streamweave.errors import (
    ContentDiffers,
    FileChanged,
    FileUnreadable,
    FileVanished,
    SourceError,
    SourceFileError,
    StorageRefused,
    StorageUnavailable,
    StreamWeaveError,
    Transient,
)
from streamweave.harvest.claims import Claim
from streamweave.harvest.copy_verify import Digest, Failed
from streamweave.harvest.progress import FileOutcome
from streamweave.journal.entries import Entry

LONGEST_DELAY = timedelta(hours=1)
GONE = "gone from the source"
GONE_BEFORE_ALL = f"{GONE} before every storage location had it"
ARCHIVED_BEFORE = "its content is that of an archived version"


class VersionFields(NamedTuple):
    """The part of a version's row that changes on its way. A tuple, because a harvest makes a few for each file."""

    id: uuid.UUID
    is_newest: bool
    state: str
    reason: str
    state_since: datetime
    failures: int
    retry_at: datetime | None
    archived_at: datetime | None
    unchanged_since: datetime
    observed_at: datetime
    xxhash: str | None
    sha256: str | None
    decided_hooks: str | None
    decided_destinations: str | None
    redirected: bool
    unfinished: str | None

    def entering(self, state: str, reason: str, now: datetime, **others: Any) -> Self:
        """The same version in ``state``, since now unless it was in it before, and with ``others`` changed."""
        since = self.state_since if state == self.state else now
        return self._replace(state=state, reason=reason, state_since=since, **others)


COLUMNS = [getattr(FileVersion, name) for name in VersionFields._fields]
"""As ``VersionFields`` takes them."""


def version_fields(session: Session, version_ids: Collection[uuid.UUID]) -> list[VersionFields]:
    rows = session.connection().execute(select(*COLUMNS).where(is_one_of(FileVersion.id, version_ids)))
    return [VersionFields._make(row) for row in rows.all()]


def write_version_fields(session: Session, steps: Iterable[tuple[VersionFields, VersionFields]]) -> None:
    """Write what differs between the fields before and after."""
    changed = [(before, after) for before, after in steps if before != after]
    if not changed:
        return
    columns_before, columns_after = (zip(*each, strict=True) for each in zip(*changed, strict=True))
    columns = zip(VersionFields._fields, columns_before, columns_after, strict=True)
    names = [name for name, before, after in columns if before != after]
    update_many(
        session,
        FileVersion,
        [{"id": after.id} | {name: getattr(after, name) for name in names} for _, after in changed],
    )


@dataclass(frozen=True, slots=True)
class Archived:
    """A claim whose bytes have their final name, ``destination_path``, proven and durable.

    ``owner`` is the version that they are a copy of: the claimed one, or an earlier one with the same content.
    ``address`` is the path for people. ``number`` and ``source_mtime`` are the owner's, None if it is the claimed one;
    ``repairs`` counts the copies of it that were found damaged in this storage location. ``is_unfinished``: the
    instrument may not have finished the owner's content.
    """

    claim: Claim
    digest: Digest
    owner: uuid.UUID
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


Result = Archived | Unchanged | Failed


def journal_entry(archived: Archived, instrument_id: uuid.UUID, now: datetime) -> Entry:
    claim, digest = archived.claim, archived.digest
    return Entry(
        instrument_id=instrument_id,
        file_id=claim.file_id,
        persistent_id=claim.persistent_id,
        source_path=claim.source_path,
        discovered_at=claim.discovered_at,
        version_id=archived.owner,
        number=archived.number or claim.number,
        size_bytes=digest.size_bytes,
        source_mtime=archived.source_mtime or claim.mtime,
        xxhash=digest.xxhash,
        sha256=digest.sha256,
        transfer_id=claim.transfer_id,
        archived_path=archived.destination_path,
        archived_at=now,
        repairs=archived.repairs,
        is_unfinished=archived.is_unfinished or claim.is_unfinished,
    )


def transfer_after(result: Result, now: datetime) -> dict[str, Any]:
    """The columns of the claimed transfer that the result ends, its claim among them."""
    ended = {"id": result.claim.transfer_id, "claim_id": result.claim.claim_id, "completed_at": now}
    match result:
        case Archived(_, digest, owner, destination_path):
            place = {"version_id": owner, "destination_path": destination_path}
            is_as_planned = (owner, destination_path) == (result.claim.version_id, result.claim.destination_path)
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
            return ended | {"status": TransferStatus.FAILED, "error_kind": error.kind(), "error_message": str(error)}


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


def version_after(result: Result, version: VersionFields, instrument: Instrument, now: datetime) -> VersionFields:
    """The claimed version's fields once this result is on record, whatever its other transfers do."""
    match result:
        case Archived(_, digest, owner) if owner == version.id:
            return version._replace(xxhash=digest.xxhash, sha256=digest.sha256)
        case Failed():
            following = consequence_of(result, instrument, now)
            others: dict[str, Any] = {"failures": following.failures, "retry_at": following.retry_at}
            if following.state in WATCHED:
                others |= {"unchanged_since": now, "observed_at": now, "unfinished": None}
            if version.state == VersionState.FAILED:  # it needs attention; another location changes nothing
                return version._replace(**others)
            return version.entering(following.state, following.reason, now, **others)
    return version


def archived(now: datetime, reason: str = "") -> dict[str, Any]:
    """The columns of a version that was pending, and is archived now; ``reason`` is why it may be unfinished."""
    reached = {"state": VersionState.ARCHIVED, "reason": reason, "state_since": now, "archived_at": now}
    return reached | {"retry_at": None, "failures": 0}


def concluded(result: Result, version: VersionFields, now: datetime, *, has_a_copy: bool) -> VersionFields:
    """The fields of a version that waits for no further transfer; ``result`` is one of those that it waited for."""
    if version.state == VersionState.VANISHED and has_a_copy:  # decided anew, if it should return
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


@dataclass(frozen=True, slots=True)
class Consequence:
    """The version's next state. In the state ``pending`` a further transfer is planned; not before ``retry_at``."""

    state: VersionState
    reason: str
    failures: int
    retry_at: datetime | None = None


def consequence_of(failed: Failed, instrument: Instrument, now: datetime) -> Consequence:
    """Decide what follows from a failed claim.

    Transient failures are tried again after ``retry_delay_seconds``, doubled with each attempt up to an hour, until
    ``max_attempts`` are used up. A share that fails or refuses us and a storage that is full or refuses us are no fault
    of the file's, and use up none. A content that is no longer that of the version archived elsewhere belongs to a
    further version. Other permanent failures need attention at once; so does, after ``max_attempts``, a file that
    changes whenever it is copied.
    """
    error, failures, attempt = failed.error, failed.claim.failures, failed.claim.attempt
    retry_at = now + retry_delay(instrument, attempt - 1)
    match error:
        case FileChanged() if failures + 1 >= instrument.max_attempts:
            reason = f"changed during each of {failures + 1} copies: {error}"
            return Consequence(VersionState.OVERDUE, reason, failures + 1, retry_at)
        case FileChanged():
            reason = f"changed while it was copied: {error}"
            return Consequence(VersionState.SETTLING, reason, failures + 1, retry_at if failures else None)
        case ContentDiffers():
            return Consequence(VersionState.SUPERSEDED, str(error), failures)
        case FileVanished():
            return Consequence(VersionState.VANISHED, str(error), failures)
        case FileUnreadable():
            return Consequence(VersionState.UNREADABLE, str(error), failures)
        case _ if _is_no_fault_of_the_file(error):
            return Consequence(VersionState.PENDING, _again(error, attempt, retry_at), failures, retry_at)
        case Transient() if failures + 1 < instrument.max_attempts:
            return Consequence(VersionState.PENDING, _again(error, attempt, retry_at), failures + 1, retry_at)
        case Transient():
            return Consequence(VersionState.FAILED, f"{failures + 1} attempts failed, the last: {error}", failures + 1)
        case _:
            return Consequence(VersionState.FAILED, str(error), failures + 1)


def _is_no_fault_of_the_file(error: StreamWeaveError) -> bool:
    of_the_share = isinstance(error, SourceError) and not isinstance(error, SourceFileError)
    return of_the_share or isinstance(error, StorageUnavailable | StorageRefused)


def _again(error: StreamWeaveError, attempt: int, retry_at: datetime) -> str:
    return f"attempt {attempt} failed: {error}; tried again after {retry_at:%Y-%m-%d %H:%M:%S} UTC"


def retry_delay(instrument: Instrument, failures: int) -> timedelta:
    """How long to wait before the next attempt, after ``failures`` earlier ones."""
    return min(timedelta(seconds=instrument.retry_delay_seconds * 2 ** min(failures, 20)), LONGEST_DELAY)
