"""Reopening: an acquisition that changes again before a copy of it has begun was not complete after all."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select

from streamweave.access.access_paths import within
from streamweave.catalog.bulk import id_batches, is_one_of
from streamweave.catalog.session import lock_instrument
from streamweave.catalog.tables import FileRecord, FileVersion, Instrument, VersionState
from streamweave.catalog.tables.files import path_in_byte_order
from streamweave.facility import Facility
from streamweave.harvest.knowledge import is_claimed
from streamweave.harvest.standing import standings, write_standings
from streamweave.harvest.withdrawal import withdraw_waiting_transfers
from streamweave.settling.acquisitions import in_folders

ON_ITS_WAY = (VersionState.SETTLED, VersionState.PENDING)
REOPENED = "its acquisition folder changed again before it was harvested"


def reopen(facility: Facility, instrument: Instrument, folders: Collection[str]) -> int:
    """Let what had settled in these folders, and nobody copies yet, settle again with the rest; returns how many.

    What goes on unfinished has left its folder behind, and goes on.
    """
    if not folders:
        return 0
    folder = in_folders(folders)
    found = (
        select(FileVersion.id)
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .join(folder, within(path_in_byte_order(FileRecord.source_path), folder.c.path))
        .where(FileRecord.instrument_id == instrument.id, _may_wait(instrument))
    )
    reopened = 0
    for version_ids in id_batches(facility.sessions, found):
        with facility.sessions.begin() as session:
            lock_instrument(session, instrument.id)
            still = select(FileVersion.id).where(is_one_of(FileVersion.id, version_ids), _may_wait(instrument))
            before = standings(session, session.scalars(still).all())
            now = facility.now()
            write_standings(
                session,
                [
                    (each, each.entering(VersionState.SETTLING, REOPENED, now, decided_hooks=None, retry_at=None))
                    for each in before
                ],
            )
            withdraw_waiting_transfers(session, [each.id for each in before], REOPENED, now)
            reopened += len(before)
    return reopened


def _may_wait(instrument: Instrument) -> ColumnElement[bool]:
    """Over ``FileVersion``."""
    return (
        (FileVersion.instrument_id == instrument.id)
        & FileVersion.is_newest
        & FileVersion.state.in_(ON_ITS_WAY)
        & FileVersion.unfinished.is_(None)
        & ~is_claimed()
    )
