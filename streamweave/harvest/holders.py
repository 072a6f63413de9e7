"""Holders: which versions hold the contents of a file that are archived, and where."""

import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.tables import ONCE_COMPLETED, FileVersion, Transfer, TransferStatus
from streamweave.harvest.knowledge import of_files


@dataclass(frozen=True, slots=True)
class Holder:
    """The version that holds some content, the storage locations that have it, and how often it was damaged there.

    ``is_unfinished``: the instrument may not have finished that content.
    """

    version_id: uuid.UUID
    number: int
    source_mtime: datetime
    is_unfinished: bool
    locations: set[uuid.UUID] = field(default_factory=set)
    damaged: Counter[uuid.UUID] = field(default_factory=Counter)


def holders(session: Session, file_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], Holder]:
    """Who holds the contents of these files that are archived somewhere, by file and sha256."""
    rows = session.connection().execute(
        select(
            Transfer.file_id,
            FileVersion.sha256,
            FileVersion.id,
            FileVersion.number,
            FileVersion.source_mtime,
            FileVersion.unfinished.is_not(None),
            Transfer.storage_location_id,
            Transfer.status,
        )
        .join(FileVersion, FileVersion.id == Transfer.version_id)
        .where(of_files(file_ids, *ONCE_COMPLETED))
    )
    known: dict[tuple[uuid.UUID, str], Holder] = {}
    for file_id, sha256, *version, location_id, status in rows:
        holder = known.setdefault((file_id, sha256), Holder(*version))
        if status == TransferStatus.COMPLETED:
            holder.locations.add(location_id)
        else:
            holder.damaged[location_id] += 1
    return known
