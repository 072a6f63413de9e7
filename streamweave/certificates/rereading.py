"""Reading the bytes again now, before something is deleted: at the source, in the archive, or both.

The source is read over one connection, within the instrument's hours and at its pace. What re-reading finds out about a
copy goes on record with its transfer. No database session is open meanwhile.
"""

import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType

from streamweave.catalog.bulk import update_many
from streamweave.catalog.tables import Instrument, StorageLocation, Transfer
from streamweave.certificates.evidence import Copy, FileEvidence, Reread
from streamweave.errors import FileChanged, SourceError, SourceFileError, StorageError, StorageUnavailable
from streamweave.facility import Facility
from streamweave.harvest.copying import Digest, digest_of
from streamweave.harvest.limits import Pace, closed_until, limits_of
from streamweave.sources.base import Source
from streamweave.storage.base import Storage

MISSING = "it is no longer there"


@dataclass
class Rereader(AbstractContextManager["Rereader"]):
    """Reads again what it is told to, of one instrument. ``on_file`` hears of each path before it is read."""

    facility: Facility
    instrument: Instrument
    source: bool
    archive: bool
    on_file: Callable[[str], None] = lambda path: None
    _storages: dict[uuid.UUID, Storage] = field(default_factory=dict)
    _resources: ExitStack = field(default_factory=ExitStack)
    _source: Source | None = None
    _lost: str | None = None

    def __post_init__(self) -> None:
        self._limits = limits_of(self.instrument)
        self._pace = Pace(self._limits.bytes_per_second)

    def reread(self, file: FileEvidence, places: Iterable[uuid.UUID]) -> FileEvidence:
        """The file, with what its bytes are now at the source, and in those of its copies that are in these places."""
        self.on_file(file.source_path)
        required = set(places)
        copies = file.copies
        if self.archive:
            copies = tuple(self._copy(file, each) if each.place.id in required else each for each in copies)
        return replace(file, copies=copies, reread=self._reread_source(file) if self.source else None)

    def _reread_source(self, file: FileEvidence) -> Reread:
        opening = self._limits.opens_at(self.facility.now())
        hindrance = self._lost if opening is None else closed_until(opening)
        if hindrance is not None:
            return Reread(self.facility.now(), error=hindrance)
        try:
            digest = self._of_source(file)
        except SourceFileError as error:
            return Reread(self.facility.now(), error=f"{error.kind()}: {error}")
        except SourceError as error:  # the share as a whole: nobody waits for it again, file by file
            self._lost = f"{error.kind()}: {error}"
            return Reread(self.facility.now(), error=self._lost)
        return Reread(self.facility.now(), digest.size_bytes, digest.sha256)

    def _of_source(self, file: FileEvidence) -> Digest:
        """Raises ``FileChanged`` unless it is, before and after, as the catalog has it."""
        with self._connection().open(file.source_path) as opened:
            before = opened.now()
            digest = digest_of(map(self._paced, opened.chunks()))
            after = opened.now()
        for found in (before, after):
            if (found.size_bytes, found.mtime) != (file.size_bytes, file.source_mtime):
                raise FileChanged(f"{found.size_bytes} bytes of {found.mtime:%Y-%m-%d %H:%M:%S}")
        return digest

    def _paced(self, chunk: bytes) -> bytes:
        self._pace.take(len(chunk))
        return chunk

    def _connection(self) -> Source:
        if self._source is None:
            self._source = self._resources.enter_context(closing(self.facility.open_source(self.instrument)))
        return self._source

    def _copy(self, file: FileEvidence, copy: Copy) -> Copy:
        """The copy, read again. What is wrong with it is its damage; a place that isn't there damages nothing."""
        if not copy.is_completed:
            return copy
        try:
            storage = self._storage(copy.place.id)
            stands = storage.exists(copy.path)
        except StorageError as error:
            return replace(copy, reread=Reread(self.facility.now(), error=str(error)))
        reread, damage = _read_copy(storage, copy, file, self.facility.now) if stands else self._missing()
        if damage is not None or reread.error is None:
            self._put_on_record(copy, reread.at, damage)
        return replace(copy, reread=reread)

    def _missing(self) -> tuple[Reread, str]:
        return Reread(self.facility.now(), error=MISSING), MISSING

    def _storage(self, location_id: uuid.UUID) -> Storage:
        if location_id not in self._storages:
            with self.facility.sessions() as session:
                location = session.get_one(StorageLocation, location_id)
            self._storages[location_id] = self.facility.open_storage(location)
        return self._storages[location_id]

    def _put_on_record(self, copy: Copy, at: datetime, damage: str | None) -> None:
        with self.facility.sessions.begin() as session:
            update_many(session, Transfer, [{"id": copy.transfer_id, "last_verified_at": at, "damage": damage}])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()


def _read_copy(
    storage: Storage, copy: Copy, file: FileEvidence, now: Callable[[], datetime]
) -> tuple[Reread, str | None]:
    """What was read, and the damage that this shows."""
    try:
        found = digest_of(storage.read(copy.path))
    except StorageUnavailable as error:
        return Reread(now(), error=str(error)), None
    except StorageError as error:
        damage = f"it can't be read: {error}"
        return Reread(now(), error=damage), damage
    reread = Reread(now(), found.size_bytes, found.sha256)
    if (found.size_bytes, found.sha256) == (file.size_bytes, file.sha256):
        return reread, None
    return reread, (
        f"{found.size_bytes} bytes with SHA-256 {found.sha256}; "
        f"archived were {file.size_bytes} bytes with SHA-256 {file.sha256}"
    )
