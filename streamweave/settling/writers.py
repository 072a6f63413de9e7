"""Writers: which of the files that are otherwise quiet some client holds open. Asking disturbs nobody."""

import uuid
from collections.abc import Mapping
from contextlib import closing

from sqlalchemy import select

from streamweave.catalog.tables import FileRecord, FileVersion, Instrument
from streamweave.errors import SourceFileError
from streamweave.facility import Facility
from streamweave.settling.judging import Acquisition
from streamweave.settling.watching import acquisition_folder, is_quiet, is_watched
from streamweave.sources.base import Source


def open_writers(
    facility: Facility, instrument: Instrument, acquisitions: Mapping[str, Acquisition]
) -> dict[uuid.UUID, str | None]:
    """The versions that are held open for writing, with the acquisition folder of each.

    The files of an acquisition that is not quiet are not asked about. Raises a ``SourceError`` when the share can't be
    reached.
    """
    quiet = (
        select(FileVersion.id, FileRecord.source_path, acquisition_folder(instrument))
        .join(FileRecord, FileRecord.id == FileVersion.file_id)
        .where(is_watched(instrument), is_quiet(instrument))
    )
    with facility.sessions() as session:
        watched = session.execute(quiet).all()
    with closing(facility.open_source(instrument)) as source:
        return {
            version_id: folder
            for version_id, source_path, folder in watched
            if _may_settle(instrument, folder, acquisitions) and _is_written(source, source_path)
        }


def _may_settle(instrument: Instrument, folder: str | None, acquisitions: Mapping[str, Acquisition]) -> bool:
    acquisition = acquisitions.get(folder) if folder else None
    return acquisition is None or acquisition.is_harvested or acquisition.is_quiet(instrument)


def _is_written(source: Source, source_path: str) -> bool:
    """A file that can't be probed counts as unwritten: its copy will tell what is wrong with it."""
    try:
        return source.has_open_writer(source_path)
    except SourceFileError:
        return False
