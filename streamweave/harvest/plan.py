"""Filtering: pre-transfer hooks decide on settled versions, and a transfer to each storage location is planned.

``Policy`` is what the configuration says at one moment: which hooks decide, and where versions go. Skipped files are
decided anew when the hooks change; archived ones are planned again when a schedule names a further storage location. A
file that can't be decided on stays settled, with the reason. ``Planner`` decides purely.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import checked, insert_many, is_one_of
from streamweave.catalog.deletion import listing
from streamweave.catalog.leases import is_dead
from streamweave.catalog.tables import (
    IS_OPEN,
    ONCE_COMPLETED,
    FileRecord,
    FileVersion,
    HarvestRun,
    HookRetry,
    HookTrigger,
    Instrument,
    StorageLocation,
    Transfer,
    TransferStatus,
    VersionState,
)
from streamweave.catalog.tables.base import uuid7
from streamweave.catalog.tables.files import DONE, in_state
from streamweave.errors import HookFailed, HookUnanswered
from streamweave.facility import Facility
from streamweave.harvest.claims import is_claimed, is_due, open_locations
from streamweave.harvest.hook_batches import ActiveHooks, HookBatches, is_other, waits_for_hooks
from streamweave.harvest.progress import FileOutcome, HarvestReport
from streamweave.harvest.record_changes import cancel_waiting_transfers
from streamweave.harvest.version_state import COLUMNS, VersionFields, retry_delay, write_version_fields
from streamweave.hooks.base import Decision, HookContext, PreTransferHook, Proceed, Redirect, Skip
from streamweave.hooks.calls import (
    ANSWERED,
    Answers,
    HookFailures,
    HookSubject,
    call_out,
    decide,
    hook_failures,
    record_hook_failures,
)
from streamweave.hooks.configuration import active_hooks, fingerprint, hooks_fingerprint, pre_hooks
from streamweave.hooks.external_hook import HookReach
from streamweave.instruments.schedules import destinations, why_no_destination
from streamweave.storage.archive_paths import destination_path

PLANNED_ANEW = "planned anew: hooks or schedules have changed"


@dataclass(frozen=True)
class Policy(ActiveHooks):
    """Fingerprints show whether an earlier decision was made under the same hooks and for the same destinations."""

    hooks: Sequence[PreTransferHook]
    destinations: Sequence[StorageLocation]
    destinations_fingerprint: str
    locations: Mapping[str, StorageLocation]
    """Every enabled storage location by name: a hook may redirect to any."""
    why_no_destination: str = ""
    """Where there are no ``destinations``: the reason, as a sentence."""

    @property
    def calls_out(self) -> bool:
        """Whether a hook that calls out is asked about files: without a destination none is."""
        return bool(self.destinations) and call_out(self.hooks)

    def is_undecided(self, now: datetime) -> ColumnElement[bool]:
        """Over ``FileVersion`` joined to ``FileRecord``: under this policy something is to be decided for it now."""
        other_hooks = is_other(FileVersion.decided_hooks, self.hooks_fingerprint)
        other_destinations = and_(
            is_other(FileVersion.decided_destinations, self.destinations_fingerprint), ~FileVersion.redirected
        )
        goes_elsewhere = and_(
            is_other(FileVersion.indexed_destinations, self.destinations_fingerprint), ~FileVersion.redirected
        )
        return and_(
            FileVersion.is_newest,
            ~waits_for_hooks(self.hooks_fingerprint, now),
            or_(
                in_state(VersionState.SETTLED),
                and_(in_state(VersionState.SKIPPED), other_hooks),
                and_(in_state(VersionState.PENDING), or_(other_hooks, other_destinations, _is_cut_off())),
                and_(in_state(*DONE), goes_elsewhere, FileRecord.gone_at.is_(None)),
            ),
        )


def _is_cut_off() -> ColumnElement[bool]:
    """Over ``FileVersion``: it waits for a storage location that has been disabled or deleted."""
    return exists().where(
        Transfer.version_id == FileVersion.id,
        Transfer.status == TransferStatus.PENDING,
        Transfer.storage_location_id.not_in(open_locations()),
    )


def policy_for(session: Session, instrument: Instrument, reach: HookReach) -> Policy:
    """The policy that the rows of this moment make. Raises ``InvalidInput`` when a hook's row can't be used."""
    rows = active_hooks(session, instrument.id, HookTrigger.PRE_TRANSFER)
    hooks = pre_hooks(rows, reach)
    places = destinations(session, instrument.id)
    enabled = session.scalars(listing(StorageLocation).where(StorageLocation.enabled))
    return Policy(
        hooks=hooks,
        hooks_fingerprint=hooks_fingerprint(rows, hooks),
        destinations=places,
        destinations_fingerprint=fingerprint([{"location": str(place.id)} for place in places]),
        locations={location.name: location for location in enabled},
        why_no_destination="" if places else why_no_destination(session, instrument.id),
    )


def filter_files(facility: Facility, instrument: Instrument, days: Collection[date] | None = None) -> HarvestReport:
    """Decide on everything undecided of an instrument, or of some acquisition days of it: the oldest first.

    The report names what was skipped and what could not be decided on; what is planned is reported when it is
    transferred.
    """
    report = HarvestReport()
    for outcomes in _Filtering(facility, instrument, days).run():
        for outcome in outcomes:
            report.add(outcome)
    return report


class Candidate(NamedTuple):
    """A version for which something is to be decided. A tuple, because a harvest makes one for each file.

    ``transfers`` are the storage locations and statuses of the transfers that it has already; ``failures`` those of the
    hooks about it.
    """

    version: VersionFields
    file_id: uuid.UUID
    source_path: str
    filename: str
    size_bytes: int
    mtime: datetime
    number: int
    day: date
    transfers: Collection[tuple[uuid.UUID, str]]
    failures: HookFailures = ANSWERED


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows for one version: its new fields, and the storage locations that get a further transfer.

    ``failures`` are what remains on record of those of its hooks. ``cancel_reason`` is why waiting transfers are
    cancelled. ``outcome`` is what to report now; a version whose transfers are planned is reported when they are done.
    """

    version: VersionFields
    transfers_to: Sequence[StorageLocation]
    cancel_reason: str
    outcome: FileOutcome | None = None
    failures: HookFailures = ANSWERED


class _Filtering(HookBatches[Policy, Candidate, Decision | HookFailed, Sequence[FileOutcome]]):
    def configuration(self, session: Session) -> Policy:
        return policy_for(session, self.instrument, self.reach)

    def wanted(self, configuration: Policy) -> Select[tuple[uuid.UUID]]:
        # transfers are claimed in the order in which they are planned: day after day, and folder by folder
        return (
            select(FileVersion.id)
            .join(FileRecord, FileRecord.id == FileVersion.file_id)
            .where(self._is_undecided(configuration))
            .order_by(FileVersion.acquisition_day, FileRecord.source_path, FileVersion.id)
        )

    def still_wanted(
        self, session: Session, configuration: Policy, version_ids: Sequence[uuid.UUID]
    ) -> list[Candidate]:
        return _candidates(session, self._is_undecided(configuration), version_ids)

    def _is_undecided(self, policy: Policy) -> ColumnElement[bool]:
        of_instrument = FileVersion.instrument_id == self.instrument.id
        undecided = of_instrument & policy.is_undecided(self.facility.now()) & ~is_claimed()
        return undecided if self.days is None else undecided & FileVersion.acquisition_day.in_(self.days)

    def subject(self, configuration: Policy, version: Candidate) -> HookSubject:
        fields = version.version
        context = HookContext(
            instrument_slug=self.instrument.slug,
            source_path=version.source_path,
            filename=version.filename,
            size_bytes=version.size_bytes,
            mtime=version.mtime,
        )
        failures = version.failures if version.failures.hooks == configuration.hooks_fingerprint else ANSWERED
        return HookSubject(version.file_id, fields.id, context, failures)

    def answer(self, configuration: Policy, subject: HookSubject) -> Decision | HookFailed:
        if not configuration.destinations:  # there is nothing to decide
            return Proceed()
        try:
            return decide(configuration.hooks, subject.shown)
        except HookFailed as failure:
            return failure

    def call(self, configuration: Policy, subjects: Sequence[HookSubject]) -> Answers[Decision | HookFailed]:
        return self.calls.decisions(configuration.hooks, configuration.hooks_fingerprint, subjects)

    def write(
        self,
        session: Session,
        configuration: Policy,
        versions: Sequence[Candidate],
        results: Mapping[uuid.UUID, Decision | HookFailed],
    ) -> Sequence[FileOutcome]:
        planner = Planner(self.instrument, configuration, self.facility.now())
        planned = [(candidate, planner.plan(candidate, results[candidate.version.id])) for candidate in versions]
        _write(session, planner, planned)
        return [plan.outcome for _, plan in planned if plan.outcome]


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
    still_wanted = [version.id for version, _ in found]
    transfers, failures = _transfers_of(session, still_wanted), hook_failures(session, still_wanted)
    return [
        Candidate._make([version, *others, transfers.get(version.id, ()), failures.get(version.id, ANSWERED)])
        for version, others in found
    ]


def _transfers_of(session: Session, versions: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, set[tuple[uuid.UUID, str]]]:
    """The storage locations and statuses of the transfers that these versions have already."""
    found: defaultdict[uuid.UUID, set[tuple[uuid.UUID, str]]] = defaultdict(set)
    rows = select(Transfer.version_id, Transfer.storage_location_id, Transfer.status)
    for version_id, location_id, status in session.connection().execute(
        rows.where(is_one_of(Transfer.version_id, versions))
    ):
        found[version_id].add((location_id, status))
    return found


@dataclass(frozen=True)
class Planner:
    """Plans for one instrument under one policy, as of one moment of our clock. Pure."""

    instrument: Instrument
    policy: Policy
    now: datetime

    def plan(self, candidate: Candidate, decision: Decision | HookFailed) -> Plan:
        """What follows for a version from what the hooks decided, or why they could not."""
        if not self.policy.destinations:
            return self._leave(candidate, self.policy.why_no_destination, again_at=None)
        if isinstance(decision, HookFailed):
            return self._wait_for_hooks(candidate, decision)
        is_done = candidate.version.state in (VersionState.ARCHIVED, VersionState.UNCHANGED)
        if isinstance(decision, Skip) and not is_done:
            return self._skip(candidate, decision.reason)
        if not isinstance(decision, Redirect):
            return self._transfer(candidate, self.policy.destinations, redirected=False)
        location = self.policy.locations.get(decision.destination)
        if location is None:
            reason = f"redirected to '{decision.destination}', which is no enabled storage location"
            return self._leave(candidate, reason, again_at=self._retry_at)
        return self._transfer(candidate, [location], redirected=True)

    def _wait_for_hooks(self, candidate: Candidate, failure: HookFailed) -> Plan:
        if not isinstance(failure, HookUnanswered):
            return self._leave(candidate, str(failure), again_at=self._retry_at)
        failures = candidate.failures.after(failure, self.policy.hooks_fingerprint, self.now)
        return replace(self._leave(candidate, str(failure), again_at=failures.retry_at), failures=failures)

    @property
    def _retry_at(self) -> datetime:
        return self.now + retry_delay(self.instrument, 0)

    def _leave(self, candidate: Candidate, reason: str, *, again_at: datetime | None) -> Plan:
        """Not decided: it stays settled, and no sensor requests a run for it before ``again_at``."""
        version = candidate.version
        if version.state in (VersionState.PENDING, VersionState.SETTLED):
            version = version.entering(VersionState.SETTLED, reason, self.now, retry_at=again_at)
        return Plan(version, [], reason, _outcome(candidate, version, reason), candidate.failures)

    def _skip(self, candidate: Candidate, reason: str) -> Plan:
        skipped = self._entering(candidate.version, VersionState.SKIPPED, reason)
        lacking = _lacking((TransferStatus.SKIPPED,), self.policy.destinations, candidate)
        return Plan(skipped, lacking, reason, _outcome(candidate, skipped, reason))

    def _transfer(self, candidate: Candidate, locations: Sequence[StorageLocation], *, redirected: bool) -> Plan:
        # what is damaged is repaired, to another path, and not archived once more
        lacking = _lacking(ONCE_COMPLETED, locations, candidate)
        version = candidate.version
        after = self._pending(version, redirected=redirected) if lacking else self._done(version, redirected=redirected)
        return Plan(after, lacking, PLANNED_ANEW)

    def _pending(self, version: VersionFields, *, redirected: bool) -> VersionFields:
        others: dict[str, Any] = {"redirected": redirected}
        if version.state == VersionState.UNCHANGED:  # its content belongs to the version that holds it
            others |= {"xxhash": None, "sha256": None}
        if version.failures == 0:  # else it is still held back by what went wrong
            others |= {"retry_at": None}
        return self._entering(version, VersionState.PENDING, "waits for its transfer", **others)

    def _done(self, version: VersionFields, *, redirected: bool) -> VersionFields:
        if version.state == VersionState.UNCHANGED:
            return self._entering(version, VersionState.UNCHANGED, version.reason, redirected=redirected)
        others = {"redirected": redirected, "archived_at": version.archived_at or self.now, "retry_at": None}
        return self._entering(version, VersionState.ARCHIVED, version.unfinished or "", **others)

    def _entering(self, version: VersionFields, state: VersionState, reason: str, **others: Any) -> VersionFields:
        return version.entering(
            state,
            reason,
            self.now,
            decided_hooks=self.policy.hooks_fingerprint,
            decided_destinations=self.policy.destinations_fingerprint,
            **others,
        )

    def transfer_row(self, candidate: Candidate, plan: Plan, location: StorageLocation) -> dict[str, Any]:
        """The row of the transfer to one of the locations in ``plan.transfers_to``."""
        is_skipped = plan.version.state == VersionState.SKIPPED
        return {
            "id": uuid7(),
            "file_id": candidate.file_id,
            "version_id": candidate.version.id,
            "instrument_id": self.instrument.id,
            "storage_location_id": location.id,
            "destination_path": destination_path(
                self.instrument.archive_folder, candidate.source_path, candidate.number
            ),
            "transfer_adapter": self.instrument.transfer_adapter,
            "status": TransferStatus.SKIPPED if is_skipped else TransferStatus.PENDING,
            "error_message": plan.version.reason if is_skipped else None,
            "created_at": self.now,
            "completed_at": self.now if is_skipped else None,
        }


def _lacking(
    statuses: Sequence[TransferStatus], locations: Sequence[StorageLocation], candidate: Candidate
) -> Sequence[StorageLocation]:
    """The locations to which the candidate has no transfer of these statuses."""
    if not candidate.transfers:
        return locations
    return [each for each in locations if not any((each.id, status) in candidate.transfers for status in statuses)]


def _outcome(candidate: Candidate, version: VersionFields, reason: str) -> FileOutcome:
    return FileOutcome(
        source_path=candidate.source_path,
        day=candidate.day,
        state=VersionState(version.state),
        size_bytes=candidate.size_bytes,
        reason=reason,
    )


def _write(session: Session, planner: Planner, planned: Sequence[tuple[Candidate, Plan]]) -> None:
    cancelled: dict[str, list[uuid.UUID]] = defaultdict(list)
    for candidate, plan in planned:
        if any(status == TransferStatus.PENDING for _, status in candidate.transfers):
            cancelled[plan.cancel_reason].append(candidate.version.id)
    for why, version_ids in cancelled.items():
        cancel_waiting_transfers(session, version_ids, why, planner.now)
    write_version_fields(session, [(candidate.version, plan.version) for candidate, plan in planned])
    record_hook_failures(session, {each.version.id: (each.failures, plan.failures) for each, plan in planned})
    insert_many(
        session,
        Transfer,
        (planner.transfer_row(candidate, plan, each) for candidate, plan in planned for each in plan.transfers_to),
    )


def days_with_work(session: Session, instrument: Instrument, policy: Policy, now: datetime) -> list[date]:
    """The acquisition days for which a harvest would do something at this moment, in order."""
    of_transfers = select(FileVersion.acquisition_day).join(Transfer, Transfer.version_id == FileVersion.id).distinct()
    orphaned = of_transfers.join(HarvestRun, HarvestRun.id == Transfer.run_id).where(
        Transfer.instrument_id == instrument.id, IS_OPEN, Transfer.status == TransferStatus.IN_PROGRESS, is_dead()
    )
    days = {*session.scalars(of_transfers.where(is_due(instrument.id, now))), *session.scalars(orphaned)}
    if policy.destinations:
        undecided = (
            select(FileVersion.acquisition_day)
            .join(FileRecord, FileRecord.id == FileVersion.file_id)
            .where(
                FileVersion.instrument_id == instrument.id,
                policy.is_undecided(now),
                or_(
                    FileVersion.state != VersionState.SETTLED,
                    FileVersion.retry_at.is_(None),
                    FileVersion.retry_at <= now,
                    # it is time to ask its hooks again, or they have changed
                    exists().where(HookRetry.version_id == FileVersion.id),
                ),
            )
        )
        days |= set(session.scalars(undecided.distinct()))
    days |= set(session.scalars(_days_to_enrich_again(instrument, now)))
    return sorted(days)


def _days_to_enrich_again(instrument: Instrument, now: datetime) -> Select[tuple[date]]:
    """The days of archived files for which a hook that calls out has failed, and is due to be asked again."""
    return (
        select(FileVersion.acquisition_day)
        .join(HookRetry, HookRetry.version_id == FileVersion.id)
        .where(
            FileVersion.instrument_id == instrument.id,
            HookRetry.retry_at <= now,
            in_state(*DONE),
            FileVersion.is_newest,
            FileVersion.enrichment_error.is_not(None),
        )
        .distinct()
    )
