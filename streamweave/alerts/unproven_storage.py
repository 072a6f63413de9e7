"""Which storage locations hold copies of which nothing is proven: they are held, or their nightly sweep had trouble."""

from sqlalchemy.orm import Session

from streamweave.alerts.condition import Condition, Findings, about_location
from streamweave.catalog.tables import AlertKind, StorageLocation
from streamweave.preservation.damage import open_hold
from streamweave.preservation.report import last_trouble
from streamweave.preservation.sweep import locations_with_copies


def unproven_storage(session: Session) -> Findings:
    """One condition for each location that holds copies and that nobody has deleted, disabled ones too."""
    locations = [each for each in locations_with_copies(session) if not each.is_deleted]
    found = (_condition(session, each) for each in locations)
    return Findings([condition for condition in found if condition is not None])


def _condition(session: Session, location: StorageLocation) -> Condition | None:
    if (hold := open_hold(session, location.id)) is not None:
        sentence = f"{location.name} is held since {hold.held_at:%Y-%m-%d %H:%M} UTC: {hold.because}"
        return about_location(AlertKind.UNPROVEN_STORAGE, location, sentence, {"hold": str(hold.id)})
    if trouble := last_trouble(session, location.id):
        sentence = f"The last nightly sweep over {location.name} had trouble: {trouble}"
        return about_location(AlertKind.UNPROVEN_STORAGE, location, sentence)
    return None
