"""Writes what a sweep finds, batch by batch: the checks, which nobody can change, and where each copy stands by them.

The caller commits.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import insert_many, is_one_of, update_many
from streamweave.catalog.tables import FixityCheck, FixitySweep, StorageLocation, SweepKind, Transfer, TransferStatus
from streamweave.catalog.tables.base import uuid7
from streamweave.fixity.report import SweepReport
from streamweave.fixity.rereading import Finding


def begin_sweep(
    session: Session, location: StorageLocation, kind: SweepKind, dagster_run_id: str | None, now: datetime
) -> uuid.UUID:
    """Put a sweep on record; returns its id."""
    sweep = FixitySweep(storage_location_id=location.id, kind=kind, dagster_run_id=dagster_run_id, started_at=now)
    session.add(sweep)
    session.flush()
    return sweep.id


def record(
    session: Session, location_id: uuid.UUID, sweep_id: uuid.UUID, findings: Sequence[Finding], now: datetime
) -> None:
    """Write what was found of some copies."""
    insert_many(
        session,
        FixityCheck,
        [
            {
                "id": uuid7(),
                "sweep_id": sweep_id,
                "transfer_id": finding.copy.transfer_id,
                "file_id": finding.copy.file_id,
                "storage_location_id": location_id,
                "checked_at": now,
                "outcome": finding.outcome,
                "found": finding.found,
            }
            for finding in findings
        ],
    )
    known_since = _found_damaged_at(session, [finding.copy.transfer_id for finding in findings])
    rows = [
        {
            "id": transfer_id,
            "last_verified_at": now,
            "damage": finding.found,
            "damage_found_at": None if finding.found is None else known_since[transfer_id] or now,
        }
        for finding in findings
        if (transfer_id := finding.copy.transfer_id) in known_since
    ]
    update_many(session, Transfer, rows)


def note_counts(session: Session, sweep_id: uuid.UUID, report: SweepReport, finished_at: datetime | None) -> None:
    """How far the sweep is, or what became of it."""
    session.execute(
        update(FixitySweep)
        .where(FixitySweep.id == sweep_id)
        .values(
            files=report.files,
            bytes=report.bytes,
            damaged=report.damaged_files,
            trouble=report.warnings() or None,
            finished_at=finished_at,
        )
    )


def _found_damaged_at(session: Session, transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """Since when these copies are known to be damaged. Those that were given up meanwhile are left out.

    Their rows are locked, in an order that is the same for two sweeps.
    """
    rows = session.connection().execute(
        select(Transfer.id, Transfer.damage_found_at)
        .where(is_one_of(Transfer.id, transfer_ids), Transfer.status == TransferStatus.COMPLETED)
        .order_by(Transfer.id)
        .with_for_update()
    )
    return dict(rows.tuples().all())
