"""All questions that are asked about what is wrong, and their answers as a whole."""

from datetime import datetime

from sqlalchemy.orm import Session

from streamweave.alerts.condition import Findings
from streamweave.alerts.conflicting_journals import conflicting_journals
from streamweave.alerts.damaged_copies import damaged_copies
from streamweave.alerts.failing_hooks import failing_hooks
from streamweave.alerts.full_storage import Spaces, full_storage
from streamweave.alerts.looks import looks_at_shares
from streamweave.alerts.overdue_files import files_that_need_a_person
from streamweave.alerts.refused_storage import refused_storage
from streamweave.alerts.shares import failing_shares, unwatched_shares
from streamweave.alerts.silent_instruments import silent_instruments
from streamweave.alerts.unlisted_folders import unlisted_folders
from streamweave.alerts.unproven_storage import unproven_storage


def what_is_wrong(session: Session, spaces: Spaces, now: datetime, watching_since: datetime) -> Findings:
    """Ask everything. A dozen questions to the catalog, each for all instruments at once."""
    looks = looks_at_shares(session, now, watching_since)
    findings = Findings()
    for answer in (
        files_that_need_a_person(session),
        failing_shares(looks),
        unwatched_shares(session, looks, now, watching_since),
        unlisted_folders(looks),
        silent_instruments(session, looks, now),
        damaged_copies(session),
        failing_hooks(session, now),
        full_storage(session, spaces, now),
        unproven_storage(session),
        refused_storage(session),
        conflicting_journals(session, now),
    ):
        findings.add(answer)
    return findings
