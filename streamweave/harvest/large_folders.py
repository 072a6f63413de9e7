"""A folder whose listing comes in parts: none of it is held in memory but what tells which files were seen."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from streamweave.catalog.bulk import BATCH, batches
from streamweave.catalog.tables import FileRecord
from streamweave.harvest.comparison import Sifted, sift
from streamweave.harvest.digests import Digests
from streamweave.harvest.knowledge import digest_of_path, expected_files, is_at, is_in
from streamweave.sources.base import FolderListing


@dataclass(slots=True)
class LargeFolder:
    """What has come of a folder so far: how many files and folders, and the digests of the files' paths."""

    path: str
    files: int = 0
    folders: int = 0
    _seen: Digests = field(default_factory=Digests)

    def take(self, session: Session, instrument_id: uuid.UUID, part: FolderListing) -> Sifted:
        """Compare one part with what the catalog knows of its files."""
        self.files += len(part.files)
        self.folders += part.folders
        sifted = Sifted()
        for files in batches(part.files):
            digests = [digest_of_path(file.source_path) for file in files]
            for digest in digests:
                self._seen.add(digest)
            sifted.include(sift(files, expected_files(session, instrument_id, is_at(digests))))
        return sifted

    def missing(self, session: Session, instrument_id: uuid.UUID) -> Iterator[str]:
        """After the last part: the paths that should stand in the folder, and did not come."""
        here = is_in([digest_of_path(self.path)])
        paths = select(FileRecord.source_path).where(
            FileRecord.instrument_id == instrument_id, FileRecord.gone_at.is_(None), here
        )
        for path in session.scalars(paths.execution_options(yield_per=BATCH)):
            if digest_of_path(path) not in self._seen:
                yield path
