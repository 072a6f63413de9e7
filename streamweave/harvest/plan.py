"""Filtering: let the pre-transfer hooks decide on settled files, and plan a transfer to each storage location.

Skipped files are decided anew when the hooks change; archived ones are planned for again when a schedule names a
further storage location. A file that can't be decided on stays where it is, with the reason.

Planning: what the hooks and the schedules make of one version. Pure: ``filtering`` reads and writes.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import batches, checked, id_batches, insert_many, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import (
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import HookFailed, HookUnanswered
from streamweave.facility import Facility
from streamweave.harvest.file_queries import is_claimed
from streamweave.harvest.policy import Policy, policy_for
from streamweave.harvest.record_changes import cancel_waiting_transfers
from streamweave.harvest.report import FileOutcome, HarvestReport
from streamweave.harvest.version_state import COLUMNS, VersionFields, retry_delay, write_version_fields
from streamweave.hooks.base import Decision, HookContext, Redirect, Skip
from streamweave.hooks.calls import BATCH, Answers, Calls, record_runs
from streamweave.hooks.hook_context import HookReach
from streamweave.hooks.recorded_hook import ANSWERED, HookSubject
from streamweave.hooks.run import decide
from streamweave.storage.archive_paths import destination_path

PLANNED_ANEW = "planned anew: hooks or schedules have changed"


class Candidate(NamedTuple):
    """A version for which something is to be decided. A tuple, because a harvest makes one for each file.

    ``transfers`` are the storage locations and statuses of the transfers that it has already.
    """

    standing: VersionFields
    file_id: uuid.UUID
    source_path: str
    filename: str
    size_bytes: int
    mtime: datetime
    number: int
    day: date
    transfers: Collection[tuple[uuid.UUID, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows for one version: where it stands, and the storage locations that get a further transfer.

    ``withdrawal`` is why transfers that wait are withdrawn. ``outcome`` is what to report now; a version whose
    transfers are planned is reported when they are done.
    """

    standing: VersionFields
    transfers_to: Sequence[StorageLocation]
    withdrawal: str
    outcome: FileOutcome | None = None


@dataclass(frozen=True)
class Planner:
    """Plans for one instrument under one policy, as of one moment of our clock.

    ``verdicts`` are, by version, what hooks that call out have been asked already; without them the hooks are instant.
    """

    instrument: Instrument
    policy: Policy
    now: datetime
    verdicts: Mapping[uuid.UUID, Decision | HookFailed] | None = None

    def plan(self, candidate: Candidate) -> Plan:
        """Decide on a version."""
        if not self.policy.destinations:
            return self._leave(candidate, self.policy.why_no_destination, again_at=None)
        try:
            decision = self._decision(candidate)
        except HookFailed as failure:
            return self._wait_for_hooks(candidate, failure)
        is_done = candidate.standing.state in (VersionState.ARCHIVED, VersionState.UNCHANGED)
        if isinstance(decision, Skip) and not is_done:
            return self._skip(candidate, decision.reason)
        if not isinstance(decision, Redirect):
            return self._transfer(candidate, self.policy.destinations, redirected=False)
        location = self.policy.locations.get(decision.destination)
        if location is None:
            reason = f"redirected to '{decision.destination}', which is no enabled storage location"
            return self._leave(candidate, reason, again_at=self._a_while_later)
        return self._transfer(candidate, [location], redirected=True)

    def shown(self, candidate: Candidate) -> HookContext:
        """A version as hooks are shown it."""
        return HookContext(
            instrument_slug=self.instrument.slug,
            source_path=candidate.source_path,
            filename=candidate.filename,
            size_bytes=candidate.size_bytes,
            mtime=candidate.mtime,
        )

    def _decision(self, candidate: Candidate) -> Decision:
        if self.verdicts is None:
            return decide(self.policy.hooks, self.shown(candidate))
        verdict = self.verdicts[candidate.standing.id]
        if isinstance(verdict, HookFailed):
            raise verdict
        return verdict

    def _wait_for_hooks(self, candidate: Candidate, failure: HookFailed) -> Plan:
        if not isinstance(failure, HookUnanswered):
            return self._leave(candidate, str(failure), again_at=self._a_while_later)
        waiting = candidate.standing.waiting.after(failure, self.policy.hooks_fingerprint, self.now)
        plan = self._leave(candidate, str(failure), again_at=waiting.hook_retry_at)
        return replace(plan, standing=plan.standing._replace(**waiting._asdict()))

    @property
    def _a_while_later(self) -> datetime:
        return self.now + retry_delay(self.instrument, 0)

    def _leave(self, candidate: Candidate, reason: str, *, again_at: datetime | None) -> Plan:
        """Not decided: it stays settled, and no sensor need ask for it before ``again_at``."""
        standing = candidate.standing
        if standing.state in (VersionState.PENDING, VersionState.SETTLED):
            standing = standing.entering(VersionState.SETTLED, reason, self.now, retry_at=again_at)
        return Plan(standing, [], reason, _outcome(candidate, standing, reason))

    def _skip(self, candidate: Candidate, reason: str) -> Plan:
        skipped = self._entering(candidate.standing, VersionState.SKIPPED, reason)
        lacking = _lacking((TransferStatus.SKIPPED,), self.policy.destinations, candidate)
        return Plan(skipped, lacking, reason, _outcome(candidate, skipped, reason))

    def _transfer(self, candidate: Candidate, locations: Sequence[StorageLocation], *, redirected: bool) -> Plan:
        # what is damaged is repaired, to another path, and not archived once more
        lacking = _lacking(ONCE_COMPLETED, locations, candidate)
        standing = candidate.standing
        after = (
            self._pending(standing, redirected=redirected) if lacking else self._done(standing, redirected=redirected)
        )
        return Plan(after, lacking, PLANNED_ANEW)

    def _pending(self, standing: VersionFields, *, redirected: bool) -> VersionFields:
        others: dict[str, Any] = {"redirected": redirected}
        if standing.state == VersionState.UNCHANGED:  # its content belongs to the version that holds it
            others |= {"xxhash": None, "sha256": None}
        if standing.failures == 0:  # else it is still held back by what went wrong
            others |= {"retry_at": None}
        return self._entering(standing, VersionState.PENDING, "waits for its transfer", **others)

    def _done(self, standing: VersionFields, *, redirected: bool) -> VersionFields:
        if standing.state == VersionState.UNCHANGED:
            return self._entering(standing, VersionState.UNCHANGED, standing.reason, redirected=redirected)
        others = {"redirected": redirected, "archived_at": standing.archived_at or self.now, "retry_at": None}
        return self._entering(standing, VersionState.ARCHIVED, standing.unfinished or "", **others)

    def _entering(self, standing: VersionFields, state: VersionState, reason: str, **others: Any) -> VersionFields:
        if standing.failing_hooks is not None:
            others |= ANSWERED._asdict()
        return standing.entering(
            state,
            reason,
            self.now,
            decided_hooks=self.policy.hooks_fingerprint,
            decided_destinations=self.policy.destinations_fingerprint,
            **others,
        )

    def transfer_row(self, candidate: Candidate, plan: Plan, location: StorageLocation) -> dict[str, Any]:
        """The row of the transfer to one of the locations in ``plan.transfers_to``."""
        is_skipped = plan.standing.state == VersionState.SKIPPED
        return {
            "id": uuid7(),
            "file_id": candidate.file_id,
            "version_id": candidate.standing.id,
            "instrument_id": self.instrument.id,
            "storage_location_id": location.id,
            "destination_path": destination_path(
                self.instrument.archive_folder, candidate.source_path, candidate.number
            ),
            "transfer_adapter": self.instrument.transfer_adapter,
            "status": TransferStatus.SKIPPED if is_skipped else TransferStatus.PENDING,
            "error_message": plan.standing.reason if is_skipped else None,
            "created_at": self.now,
            "completed_at": self.now if is_skipped else None,
        }


def _lacking(
    statuses: Sequence[TransferStatus], locations: Sequence[StorageLocation], candidate: Candidate
) -> Sequence[StorageLocation]:
    """Those of the locations to which the candidate has no transfer of these statuses."""
    if not candidate.transfers:
        return locations
    return [each for each in locations if not any((each.id, status) in candidate.transfers for status in statuses)]


def _outcome(candidate: Candidate, standing: VersionFields, reason: str) -> FileOutcome:
    return FileOutcome(
        source_path=candidate.source_path,
        day=candidate.day,
        state=VersionState(standing.state),
        size_bytes=candidate.size_bytes,
        reason=reason,
    )


Verdicts = Answers[Decision | HookFailed]
NOTHING_ASKED: Verdicts = Answers("", {})


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
    reach: HookReach
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


def _subject(planner: Planner, candidate: Candidate) -> HookSubject:
    standing = candidate.standing
    waiting = standing.waiting if standing.failing_hooks == planner.policy.hooks_fingerprint else ANSWERED
    return HookSubject(candidate.file_id, standing.id, planner.shown(candidate), waiting)


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
    found = [(VersionFields._make(row[: len(COLUMNS)]), row[len(COLUMNS) :]) for row in rows.all()]
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
        cancel_waiting_transfers(session, version_ids, why, planner.now)
    write_version_fields(session, [(candidate.standing, plan.standing) for candidate, plan in planned])
    insert_many(
        session,
        Transfer,
        (planner.transfer_row(candidate, plan, each) for candidate, plan in planned for each in plan.transfers_to),
    )
