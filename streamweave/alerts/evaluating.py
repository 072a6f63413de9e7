"""Evaluating: find out what is wrong, write down what that makes of the alerts, and tell whoever is to be told."""

from dataclasses import dataclass

from streamweave.alerts.channels import Channels
from streamweave.alerts.comparison import Comparison, compare
from streamweave.alerts.condition import counted
from streamweave.alerts.delivering import Delivered, deliver_due
from streamweave.alerts.findings import what_is_wrong
from streamweave.alerts.full_storage import Spaces, posix_locations
from streamweave.alerts.recording import open_alerts, record, watching_since
from streamweave.catalog.session import try_lock_alerts
from streamweave.facility import Facility
from streamweave.harvest.scan_record import end_dead_scans
from streamweave.storage.space import space_at


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of the alerts (None: another process was at it), and of the messages about them."""

    comparison: Comparison | None
    delivered: Delivered

    def sentence(self) -> str:
        """The outcome for a person."""
        told, delivered = _told(self.comparison), self.delivered
        if delivered.arrived or delivered.failed:
            told += f"; {counted(delivered.arrived, 'message')} delivered, {delivered.failed} failed for now"
        return told


def evaluate_alerts(facility: Facility, channels: Channels) -> Evaluation:
    """Do it all once; scans whose process has died are ended first.

    While another process is at it, only messages are sent that it leaves.
    """
    end_dead_scans(facility.sessions)
    spaces, comparison = _spaces(facility), None
    with facility.sessions.begin() as session:
        if try_lock_alerts(session):
            now = facility.now()
            findings = what_is_wrong(session, spaces, now, watching_since(session, now))
            comparison = compare(open_alerts(session), findings, now)
            record(session, comparison, channels.receivers(session), now)
    return Evaluation(comparison, deliver_due(facility, channels))


def _told(comparison: Comparison | None) -> str:
    if comparison is None:
        return "another process evaluates the alerts at this moment"
    new, known = len(comparison.begun), len(comparison.ongoing) + len(comparison.leaving) + len(comparison.waiting)
    return f"{counted(new + known, 'alert')} open: {new} new; {len(comparison.ended)} over"


def _spaces(facility: Facility) -> Spaces:
    """The room in each location that can be asked; no session is open while they are."""
    with facility.sessions() as session:
        locations = posix_locations(session)
    return {location.id: space_at(location.base_path) for location in locations}
