"""A repair is claimed as a transfer is: by a row that belongs to one run, and is free again when that run has died."""

import uuid
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, update_many
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import LIVE, Instrument, Transfer, TransferStatus
from streamweave.catalog.tables.base import uuid7
from streamweave.facility import Facility
from streamweave.harvest.claims import Claim
from streamweave.repairs.wanted import Repair
from streamweave.storage.archive_paths import destination_path


def claim_repair(facility: Facility, instrument: Instrument, run_id: uuid.UUID, repair: Repair) -> Claim | None:
    """A further transfer of the damaged version, to a path of its own; None when somebody else has it."""
    now = facility.now()
    with facility.sessions.begin() as session:
        lock_instrument(session, instrument.id)
        live = session.execute(
            select(Transfer.id, Transfer.status).where(
                Transfer.version_id == repair.version_id,
                Transfer.storage_location_id == repair.storage_location_id,
                Transfer.status.in_(LIVE),
            )
        ).one_or_none()
        if live is not None and live.status != TransferStatus.PENDING:
            return None
        claim = _claim(instrument, repair, uuid7() if live is None else live.id)
        _write(session, instrument, claim, run_id, now, is_new=live is None)
    return claim


def give_up(facility: Facility, claim: Claim, kind: str, why: str) -> None:
    """End a claim without a copy. Its version stays where it stood: it was archived once."""
    with facility.sessions.begin() as session:
        session.execute(
            update(Transfer)
            .where(
                Transfer.id == claim.transfer_id,
                Transfer.claim_id == claim.claim_id,
                Transfer.status == TransferStatus.IN_PROGRESS,
            )
            .values(status=TransferStatus.FAILED, error_kind=kind, error_message=why, completed_at=facility.now())
        )


def as_seen_at_the_source(claim: Claim, mtime: datetime) -> Claim:
    """The same claim, for a file that shows another mtime: it was touched since."""
    return replace(claim, mtime=mtime)


def _claim(instrument: Instrument, repair: Repair, transfer_id: uuid.UUID) -> Claim:
    return Claim(
        transfer_id=transfer_id,
        claim_id=uuid.uuid4(),
        version_id=repair.version_id,
        file_id=repair.file_id,
        storage_location_id=repair.storage_location_id,
        source_path=repair.source_path,
        size_bytes=repair.size_bytes,
        mtime=repair.mtime,
        day=repair.day,
        destination_path=destination_path(instrument.archive_folder, repair.source_path, repair.number, repair.damaged),
        attempt=repair.attempts + 1,
        failures=0,
        sha256=repair.sha256,
        is_unfinished=repair.is_unfinished,
        persistent_id=repair.persistent_id,
        number=repair.number,
        discovered_at=repair.discovered_at,
    )


def _write(
    session: Session, instrument: Instrument, claim: Claim, run_id: uuid.UUID, now: datetime, *, is_new: bool
) -> None:
    row = {
        "id": claim.transfer_id,
        "claim_id": claim.claim_id,
        "run_id": run_id,
        "status": TransferStatus.IN_PROGRESS,
        "started_at": now,
        "destination_path": claim.destination_path,
        "attempt": claim.attempt,
    }
    if not is_new:
        update_many(session, Transfer, [row])
        return
    of_whom = {
        "file_id": claim.file_id,
        "version_id": claim.version_id,
        "instrument_id": instrument.id,
        "storage_location_id": claim.storage_location_id,
        "transfer_adapter": instrument.transfer_adapter,
        "created_at": now,
    }
    insert_many(session, Transfer, [row | of_whom])
