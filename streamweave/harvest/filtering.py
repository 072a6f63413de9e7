"""Filtering: let the pre-transfer hooks decide on settled files, and plan a transfer to each storage location.

Skipped files are decided anew when the hooks change; archived ones are planned for again when a schedule names a
further storage location. A file that can't be decided on stays where it is, with the reason.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import id_batches, insert_many, is_one_of
from streamweave.catalog.locking import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Transfer, TransferStatus
from streamweave.facility import Facility
from streamweave.garbage import seldom_sought
from streamweave.harvest.knowledge import is_claimed
from streamweave.harvest.planning import Candidate, Plan, Planner
from streamweave.harvest.policy import Policy, policy_for
from streamweave.harvest.report import HarvestReport
from streamweave.harvest.standing import COLUMNS, Standing, write_standings
from streamweave.harvest.withdrawal import withdraw_waiting_transfers


@seldom_sought()
def filter_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> HarvestReport:
    """Decide on everything undecided of an instrument, or of some acquisition days of it: the oldest first.

    The report names what was skipped and what could not be decided on; what is planned shows up when it is transferred.
    """
    report = HarvestReport()
    with facility.sessions() as session:
        undecided = _is_undecided(instrument, policy_for(session, instrument), days)
    for version_ids in id_batches(facility.sessions, _oldest_first(undecided)):
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            policy = policy_for(session, instrument)
            planner = Planner(instrument, policy, facility.now())
            candidates = _candidates(session, _is_undecided(instrument, policy, days), version_ids)
            planned = [(candidate, planner.plan(candidate)) for candidate in candidates]
            _write(session, planner, planned)
        for _, plan in planned:
            if plan.outcome:
                report.add(plan.outcome)
    return report


def _oldest_first(which: ColumnElement[bool]) -> Select[tuple[uuid.UUID]]:
    """Transfers are claimed in the order in which they are planned: days after days, and folder by folder."""
    versions = select(FileVersion.id).join(FileRecord, FileRecord.id == FileVersion.file_id).where(which)
    return versions.order_by(FileVersion.acquisition_day, FileRecord.source_path, FileVersion.id)


def _is_undecided(instrument: Instrument, policy: Policy, days: Collection[date] | None) -> ColumnElement[bool]:
    undecided = (FileVersion.instrument_id == instrument.id) & policy.is_undecided() & ~is_claimed()
    return undecided if days is None else undecided & FileVersion.acquisition_day.in_(days)


def _candidates(session: Session, undecided: ColumnElement[bool], version_ids: Sequence[uuid.UUID]) -> list[Candidate]:
    """Those of the versions that are still undecided, oldest first."""
    transfers = _transfers_of(session, version_ids)
    rows = session.connection().execute(
        select(
            *COLUMNS,
            FileVersion.file_id,
            FileRecord.source_path,
            FileRecord.filename,
            FileVersion.size_bytes,
            FileVersion.source_mtime,
            FileVersion.number,
            FileVersion.acquisition_day,
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(is_one_of(FileVersion.id, version_ids), undecided)
        .order_by(FileVersion.acquisition_day, FileRecord.source_path, FileVersion.id)
    )
    return [_candidate(row, transfers) for row in rows.all()]


def _candidate(row: Sequence[Any], transfers: Mapping[uuid.UUID, Collection[tuple[uuid.UUID, str]]]) -> Candidate:
    standing = Standing._make(row[: len(COLUMNS)])
    return Candidate._make([standing, *row[len(COLUMNS) :], transfers.get(standing.id, ())])


def _transfers_of(session: Session, version_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, set[tuple[uuid.UUID, str]]]:
    """The storage locations and statuses of the transfers that these versions have already."""
    found: defaultdict[uuid.UUID, set[tuple[uuid.UUID, str]]] = defaultdict(set)
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.status)
    for version_id, location_id, status in session.connection().execute(
        rows.where(is_one_of(Transfer.version_id, version_ids))
    ):
        found[version_id].add((location_id, status))
    return found


def _write(session: Session, planner: Planner, planned: Sequence[tuple[Candidate, Plan]]) -> None:
    withdrawn: dict[str, list[uuid.UUID]] = defaultdict(list)
    for candidate, plan in planned:
        if any(status == TransferStatus.PENDING for _, status in candidate.transfers):
            withdrawn[plan.withdrawal].append(candidate.standing.id)
    for why, version_ids in withdrawn.items():
        withdraw_waiting_transfers(session, version_ids, why, planner.now)
    write_standings(session, [(candidate.standing, plan.standing) for candidate, plan in planned])
    insert_many(
        session,
        Transfer,
        (planner.transfer_row(candidate, plan, each) for candidate, plan in planned for each in plan.transfers_to),
    )
