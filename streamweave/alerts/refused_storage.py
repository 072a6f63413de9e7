"""Which storage locations are refused, because their places are not what their marks should say they are."""

from sqlalchemy.orm import Session

from streamweave.alerts.condition import Findings, about_location
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, StorageLocation


def refused_storage(session: Session) -> Findings:
    """One condition for each location in use whose place was refused when it was last opened."""
    refused = listing(StorageLocation).where(StorageLocation.enabled, StorageLocation.refusal.is_not(None))
    return Findings(
        [
            about_location(
                AlertKind.REFUSED_STORAGE,
                location,
                f"{location.name} is refused since {location.refused_at:%Y-%m-%d %H:%M} UTC: {location.refusal}",
            )
            for location in session.scalars(refused)
        ]
    )
