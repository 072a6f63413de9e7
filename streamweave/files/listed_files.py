"""What a list tells of a file: its record, and where its newest version stands.

Rows rather than objects: to make objects of a page's rows takes longer than to find them.
"""

from typing import Any

from sqlalchemy import Row

from streamweave.catalog.tables import FileRecord, FileVersion

ListedFile = Row[Any]
"""A row with the columns of ``LISTED``, by their names."""

LISTED = (
    FileRecord.id,
    FileRecord.persistent_id,
    FileRecord.persistent_id_type,
    FileRecord.instrument_id,
    FileRecord.source_path,
    FileRecord.filename,
    FileRecord.size_bytes,
    FileRecord.source_mtime,
    FileRecord.first_discovered_at,
    FileRecord.metadata_,
    FileRecord.owner_id,
    FileRecord.gone_at,
    FileRecord.withdrawn_at,
    FileRecord.withdrawn_reason,
    FileVersion.xxhash,
    FileVersion.sha256,
    FileVersion.number.label("version"),
    FileVersion.acquisition_day,
    FileVersion.state,
    FileVersion.reason,
    FileVersion.state_since,
)
