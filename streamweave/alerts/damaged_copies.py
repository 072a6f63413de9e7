"""Which instruments have archived copies that are not what they were, until an intact one stands beside them."""

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from streamweave.alerts.condition import Findings, about_instrument, counted
from streamweave.catalog.tables import AlertKind, FileRecord, Instrument, StorageLocation, Transfer, TransferStatus
from streamweave.deletion import listing

COPIES_NAMED = 10
_Intact = aliased(Transfer)

_REPAIRED = exists().where(
    _Intact.version_id == Transfer.version_id,
    _Intact.storage_location_id == Transfer.storage_location_id,
    _Intact.status == TransferStatus.COMPLETED,
    _Intact.damage.is_(None),
)
_DAMAGED = Transfer.damage.is_not(None) & ~_REPAIRED


def damaged_copies(session: Session) -> Findings:
    """One condition for each instrument that is in use, with its first damaged copies by name."""
    numbers = dict(
        session.execute(select(Transfer.instrument_id, func.count()).where(_DAMAGED).group_by(Transfer.instrument_id))
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
        .where(Transfer.instrument_id == instrument.id, _DAMAGED)
        .order_by(Transfer.last_verified_at, Transfer.id)
        .limit(COPIES_NAMED)
    )
    return [{"path": path, "storage_location": location, "damage": damage} for path, location, damage in rows]
