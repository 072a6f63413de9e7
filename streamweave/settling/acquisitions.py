"""Acquisitions: folders whose files settle as one, each judged once, whatever the number of its files."""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ARRAY, TableValuedAlias, Text, exists, func, literal, select
from sqlalchemy.orm import Session

from streamweave.access.access_paths import within
from streamweave.catalog.tables import ONCE_COMPLETED, FileRecord, FileVersion, Instrument, Transfer, TransferStatus
from streamweave.catalog.tables.files import path_in_byte_order
from streamweave.harvest.coverage import Extent
from streamweave.harvest.knowledge import digest_of_path, is_at
from streamweave.settling.judging import Acquisition
from streamweave.settling.watching import acquisition_folder, is_watched, marker_stands

BEGUN = (TransferStatus.IN_PROGRESS, *ONCE_COMPLETED)


def acquisitions_of(session: Session, instrument: Instrument, extent: Extent) -> dict[str, Acquisition]:
    """The acquisition folders that hold watched files, by folder; none unless the instrument's row says so."""
    if instrument.acquisition_depth is None:
        return {}
    folder = acquisition_folder(instrument)
    rows = session.execute(
        select(
            folder,
            func.max(FileVersion.unchanged_since),
            func.min(FileVersion.observed_at),
            func.bool_and(marker_stands(instrument)),
        )
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(is_watched(instrument), folder.is_not(None))
        .group_by(folder)
    ).all()
    folders = [row[0] for row in rows]
    marked, harvested = _marked(session, instrument, folders), _harvested(session, instrument.id, folders)
    return {
        path: Acquisition(
            folder=path,
            last_changed=last_changed,
            seen_until=_seen_until(extent, path, observed_at),
            markers_stand=markers_stand and path in marked,
            is_harvested=path in harvested,
        )
        for path, last_changed, observed_at, markers_stand in rows
    }


def _seen_until(extent: Extent, folder: str, observed_at: datetime) -> datetime | None:
    """A file that nobody has listed yet may be new: the folder was seen no later than the looks began that saw all."""
    return min(extent.since, observed_at) if extent.since and extent.has_seen_all_of(folder) else None


def _marked(session: Session, instrument: Instrument, folders: Collection[str]) -> Collection[str]:
    """Those of the folders that hold their marker, or all when there need be none."""
    if not instrument.marker_name:
        return folders
    markers = [digest_of_path(f"{folder}/{instrument.marker_name}") for folder in folders]
    standing = (FileRecord.instrument_id == instrument.id) & FileRecord.gone_at.is_(None)
    return set(session.scalars(select(FileRecord.folder).where(standing, is_at(markers))))


def _harvested(session: Session, instrument_id: uuid.UUID, folders: Collection[str]) -> set[str]:
    """Those of the folders of which a copy has begun."""
    folder = in_folders(folders)
    begun = exists().where(
        FileRecord.instrument_id == instrument_id,
        within(path_in_byte_order(FileRecord.source_path), folder.c.path),
        Transfer.file_id == FileRecord.id,
        Transfer.status.in_(BEGUN),
    )
    return set(session.scalars(select(folder.c.path).where(begun)))


def in_folders(folders: Collection[str]) -> TableValuedAlias:
    """The folders as rows with a ``path``."""
    rows = func.unnest(literal(list(folders), ARRAY(Text(collation="C"))))
    return rows.table_valued("path").render_derived(name="acquisition")
