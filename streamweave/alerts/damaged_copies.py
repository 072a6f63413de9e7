"""Which instruments have archived copies that are not what they were, until others have taken their places."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamweave.alerts.condition import Findings, about_instrument, counted
from streamweave.catalog.deletion import listing
from streamweave.catalog.tables import AlertKind, FileRecord, Instrument, StorageLocation, Transfer
from streamweave.preservation.damage import is_unrepaired

COPIES_NAMED = 10


def damaged_copies(session: Session) -> Findings:
    """One condition for each instrument that is in use, with its first damaged copies by name."""
    numbers = dict(
        session.execute(
            select(Transfer.instrument_id, func.count()).where(is_unrepaired()).group_by(Transfer.instrument_id)
        )
        .tuples()
        .all()
    )
    findings = Findings()
    for instrument in session.scalars(listing(Instrument).where(Instrument.id.in_(numbers))) if numbers else ():
        number, copies = numbers[instrument.id], _first(session, instrument)
        sentence = (
            f"{counted(number, 'archived copy', 'archived copies')} of {instrument.name} "
            f"{'is' if number == 1 else 'are'} damaged, the first in {copies[0]['storage_location']}: "
            f"{copies[0]['path']}: {copies[0]['damage']}"
        )
        details = {"copies": number, "files": copies}
        findings.conditions.append(about_instrument(AlertKind.DAMAGED_COPIES, instrument, sentence, details))
    return findings


def _first(session: Session, instrument: Instrument) -> list[dict[str, str | None]]:
    rows = session.execute(
        select(FileRecord.source_path, StorageLocation.name, Transfer.damage)
        .join(FileRecord, FileRecord.id == Transfer.file_id)
        .join(StorageLocation, StorageLocation.id == Transfer.storage_location_id)
        .where(Transfer.instrument_id == instrument.id, is_unrepaired())
        .order_by(Transfer.last_verified_at, Transfer.id)
        .limit(COPIES_NAMED)
    )
    return [{"path": path, "storage_location": location, "damage": damage} for path, location, damage in rows]
