"""Planning: what the hooks and the schedules make of one version. Pure: ``filtering`` reads and writes."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from streamweave.catalog.tables import ONCE_COMPLETED, Instrument, StorageLocation, TransferStatus, VersionState
from streamweave.catalog.tables.base import uuid7
from streamweave.errors import HookFailed, HookUnanswered
from streamweave.harvest.failures import retry_delay
from streamweave.harvest.policy import Policy
from streamweave.harvest.report import FileOutcome
from streamweave.harvest.standing import Standing
from streamweave.hooks.base import Decision, HookContext, Redirect, Skip
from streamweave.hooks.recorded_hook import ANSWERED
from streamweave.hooks.run import decide
from streamweave.storage.archive_paths import destination_path

PLANNED_ANEW = "planned anew: hooks or schedules have changed"


class Candidate(NamedTuple):
    """A version for which something is to be decided. A tuple, because a harvest makes one for each file.

    ``transfers`` are the storage locations and statuses of the transfers that it has already.
    """

    standing: Standing
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

    standing: Standing
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

    def _pending(self, standing: Standing, *, redirected: bool) -> Standing:
        others: dict[str, Any] = {"redirected": redirected}
        if standing.state == VersionState.UNCHANGED:  # its content belongs to the version that holds it
            others |= {"xxhash": None, "sha256": None}
        if standing.failures == 0:  # else it is still held back by what went wrong
            others |= {"retry_at": None}
        return self._entering(standing, VersionState.PENDING, "waits for its transfer", **others)

    def _done(self, standing: Standing, *, redirected: bool) -> Standing:
        if standing.state == VersionState.UNCHANGED:
            return self._entering(standing, VersionState.UNCHANGED, standing.reason, redirected=redirected)
        others = {"redirected": redirected, "archived_at": standing.archived_at or self.now, "retry_at": None}
        return self._entering(standing, VersionState.ARCHIVED, standing.unfinished or "", **others)

    def _entering(self, standing: Standing, state: VersionState, reason: str, **others: Any) -> Standing:
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


def _outcome(candidate: Candidate, standing: Standing, reason: str) -> FileOutcome:
    return FileOutcome(
        source_path=candidate.source_path,
        day=candidate.day,
        state=VersionState(standing.state),
        size_bytes=candidate.size_bytes,
        reason=reason,
    )
