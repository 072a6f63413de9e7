"""Which storage locations have journals that say something else than the catalog."""

from datetime import datetime

from sqlalchemy.orm import Session

from streamweave.alerts.condition import Condition, Findings, about_location
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, StorageLocation
from streamweave.journal.conflicts import SHOWN_FOR, Conflicts, recent_conflicts

CONFLICTS_NAMED = 10


def conflicting_journals(session: Session, now: datetime) -> Findings:
    """One condition for each location in whose journals conflicts were found lately, with the first by name.

    Nothing in archive or catalog is wrong for good because of them, and only a person knows what they mean. So the
    condition is over after a while.
    """
    found = recent_conflicts(session, now)
    if not found:
        return Findings()
    locations = session.scalars(listing(StorageLocation).where(StorageLocation.id.in_(found)))
    return Findings([_condition(location, found[location.id]) for location in locations])


def _condition(location: StorageLocation, conflicts: Conflicts) -> Condition:
    sentence = (
        f"{location.name}: {conflicts.sentence()}. `streamweave verify {location.name!r}` names them all, for "
        f"{SHOWN_FOR.days} days"
    )
    details = {
        "conflicts": len(conflicts.named),
        "first": conflicts.named[:CONFLICTS_NAMED],
        "illegible_lines": conflicts.illegible,
    }
    return about_location(AlertKind.CONFLICTING_JOURNALS, location, sentence, details)
