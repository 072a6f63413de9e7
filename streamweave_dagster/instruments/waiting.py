"""What of an instrument there is to harvest now, and what has to wait, for a sensor's sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from streamweave.catalog.tables import Instrument, VersionState
from streamweave.catalog.tables.files import WATCHED
from streamweave.facility import Facility
from streamweave.harvest.backlog import days_with_work, versions_by_state
from streamweave.harvest.policy import policy_for


@dataclass(frozen=True, slots=True)
class Waiting:
    """``days`` have work that can be done now; all of them are partitions. The numbers count files."""

    days: Sequence[date]
    days_before_the_first: int
    settling: int
    without_destination: int
    failed_for_now: int
    why_no_destination: str = ""

    def sentence(self) -> str:
        """Why there is nothing to request, for a person; meant for an instrument without ``days``."""
        reasons = [
            (self.settling, "still settling"),
            (self.without_destination, f"wait: {self.why_no_destination}"),
            (self.failed_for_now, "wait for a further attempt"),
            (self.days_before_the_first, "days before the first partition wait for a scheduled harvest"),
        ]
        return ", ".join(f"{number} {reason}" for number, reason in reasons if number) or "nothing to harvest"


def waiting(facility: Facility, instrument: Instrument) -> Waiting:
    """Ask the catalog. Raises ``InvalidInput`` when a hook's row can't be used."""
    with facility.sessions() as session:
        policy = policy_for(session, instrument, facility.reach)
        days = days_with_work(session, instrument, policy, facility.now())
        states = versions_by_state(session, instrument)
    settled = states.get(VersionState.SETTLED, 0)
    partitions = [day for day in days if day >= instrument.first_acquisition_day]
    return Waiting(
        days=partitions,
        days_before_the_first=len(days) - len(partitions),
        settling=sum(states.get(state, 0) for state in WATCHED),
        without_destination=0 if policy.destinations else settled,
        failed_for_now=states.get(VersionState.PENDING, 0) + (settled if policy.destinations else 0),
        why_no_destination=policy.why_no_destination,
    )
