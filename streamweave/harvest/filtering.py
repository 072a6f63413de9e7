"""Filtering: let the pre-transfer hooks decide on settled files, and plan a transfer to each storage location.

Skipped files are decided anew when the hooks change; archived ones are planned for again when a schedule names a
further storage location. A file that can't be decided on stays where it is, with the reason.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import batches, checked, id_batches, insert_many, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, Transfer, TransferStatus
from streamweave.errors import HookFailed
from streamweave.facility import Facility
from streamweave.garbage import seldom_sought
from streamweave.harvest.knowledge import is_claimed
from streamweave.harvest.planning import Candidate, Plan, Planner
from streamweave.harvest.policy import Policy, policy_for
from streamweave.harvest.report import HarvestReport
from streamweave.harvest.standing import COLUMNS, Standing, write_standings
from streamweave.harvest.withdrawal import withdraw_waiting_transfers
from streamweave.hooks.base import Decision
from streamweave.hooks.calls import BATCH, Answers, Calls, record_runs
from streamweave.hooks.hook_context import Reach
from streamweave.hooks.recorded_hook import ANSWERED, Subject

Verdicts = Answers[Decision | HookFailed]
NOTHING_ASKED: Verdicts = Answers("", {})


@seldom_sought()
def filter_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> HarvestReport:
    """Decide on everything undecided of an instrument, or of some acquisition days of it: the oldest first.

    The report names what was skipped and what could not be decided on; what is planned shows up when it is transferred.
    """
    filtering = Filtering(facility, instrument, days, facility.reach.for_a_run(), Calls(facility.now))
    report = HarvestReport()
    for planned in filtering.batches():
        for _, plan in planned:
            if plan.outcome:
                report.add(plan.outcome)
    return report


@dataclass(frozen=True)
class Filtering:
    """The filtering of one run.

    Hooks that are built in decide under the instrument's lock, on what holds then. Those that call out are asked
    before, while nothing is held; of their answers counts, under the lock, what was asked about as it still is.
    """

    facility: Facility
    instrument: Instrument
    days: Collection[date] | None
    reach: Reach
    calls: Calls

    def batches(self) -> Iterator[Sequence[tuple[Candidate, Plan]]]:
        """What is planned, batch by batch, once it is written."""
        sessions = self.facility.sessions
        with sessions() as session:
            policy = policy_for(session, self.instrument, self.reach)
            wanted = _oldest_first(self._is_undecided(policy))
            version_ids = list(session.scalars(wanted)) if policy.calls_out else []
        if policy.calls_out:
            for batch in batches(version_ids, BATCH):
                yield self._decide(batch, self._ask(policy, batch))
        else:
            for batch in id_batches(sessions, wanted):
                yield self._decide(batch, None)

    def _ask(self, policy: Policy, version_ids: Sequence[uuid.UUID]) -> Verdicts:
        with self.facility.sessions() as session:
            candidates = _candidates(session, self._is_undecided(policy), version_ids)
        planner = Planner(self.instrument, policy, self.facility.now())
        subjects = [_subject(planner, candidate) for candidate in candidates]
        return self.calls.decisions(policy.hooks, policy.hooks_fingerprint, subjects)

    def _decide(self, version_ids: Sequence[uuid.UUID], asked: Verdicts | None) -> Sequence[tuple[Candidate, Plan]]:
        with self.facility.sessions.begin() as session:
            lock_instrument(session, self.instrument.id)
            policy = policy_for(session, self.instrument, self.reach)
            candidates = _candidates(session, self._is_undecided(policy), version_ids)
            verdicts = asked or (NOTHING_ASKED if policy.calls_out else None)  # hooks were changed a moment ago
            planner = Planner(self.instrument, policy, self.facility.now(), verdicts.results if verdicts else None)
            if verdicts is not None:
                candidates = [each for each in candidates if _hold(verdicts, planner, each)]
            planned = [(candidate, planner.plan(candidate)) for candidate in candidates]
            _write(session, planner, planned)
            if verdicts is not None:
                record_runs(session, verdicts.runs)
        return planned

    def _is_undecided(self, policy: Policy) -> ColumnElement[bool]:
        of_ours = FileVersion.instrument_id == self.instrument.id
        undecided = of_ours & policy.is_undecided(self.facility.now()) & ~is_claimed()
        return undecided if self.days is None else undecided & FileVersion.acquisition_day.in_(self.days)


def _subject(planner: Planner, candidate: Candidate) -> Subject:
    standing = candidate.standing
    waiting = standing.waiting if standing.failing_hooks == planner.policy.hooks_fingerprint else ANSWERED
    return Subject(candidate.file_id, standing.id, planner.shown(candidate), waiting)


def _hold(verdicts: Verdicts, planner: Planner, candidate: Candidate) -> bool:
    return verdicts.hold(planner.policy.hooks_fingerprint, candidate.standing.id, planner.shown(candidate))


def _oldest_first(which: ColumnElement[bool]) -> Select[tuple[uuid.UUID]]:
    """Transfers are claimed in the order in which they are planned: days after days, and folder by folder."""
    versions = select(FileVersion.id).join(FileRecord, FileRecord.id == FileVersion.file_id).where(which)
    return versions.order_by(FileVersion.acquisition_day, FileRecord.source_path, FileVersion.id)


def _candidates(session: Session, undecided: ColumnElement[bool], version_ids: Sequence[uuid.UUID]) -> list[Candidate]:
    """Those of the versions that are still undecided, oldest first."""
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
        .where(is_one_of(FileVersion.id, version_ids), checked(undecided))
        .order_by(FileVersion.acquisition_day, FileRecord.source_path, FileVersion.id)
    )
    found = [(Standing._make(row[: len(COLUMNS)]), row[len(COLUMNS) :]) for row in rows.all()]
    transfers = _transfers_of(session, [file_id for _, (file_id, *_) in found])
    return [Candidate._make([standing, *others, transfers.get(standing.id, ())]) for standing, others in found]


def _transfers_of(session: Session, file_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, set[tuple[uuid.UUID, str]]]:
    """The storage locations and statuses of the transfers that the versions of these files have already."""
    found: defaultdict[uuid.UUID, set[tuple[uuid.UUID, str]]] = defaultdict(set)
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.status)
    for version_id, location_id, status in session.connection().execute(
        rows.where(is_one_of(Transfer.file_id, file_ids))
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
