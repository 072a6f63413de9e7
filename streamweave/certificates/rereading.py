"""Reading the bytes again now, before something is deleted: at the source, in the archive, or both.

The source is read over one connection, within the instrument's hours and at its pace. Copies are re-read by a sweep
over their storage location: what it finds goes on record, and is concluded, as with any other. No database session is
open meanwhile.
"""

import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field, replace
from types import TracebackType

from streamweave.catalog.tables import Instrument, StorageLocation
from streamweave.certificates.evidence import Copy, FileEvidence, Reread
from streamweave.errors import FileChanged, SourceError, SourceFileError, StorageError
from streamweave.facility import Facility
from streamweave.fixity.requested import RequestedSweep
from streamweave.fixity.rereading import ArchivedCopy
from streamweave.harvest.copy_verify import Digest, digest_of
from streamweave.harvest.rate_limit import Pace, closed_until, limits_of
from streamweave.sources.base import Source


@dataclass
class Rereader(AbstractContextManager["Rereader"]):
    """Reads again what it is told to, of one instrument. ``on_file`` hears of each path before it is read."""

    facility: Facility
    instrument: Instrument
    source: bool
    archive: bool
    on_file: Callable[[str], None] = lambda path: None
    _sweeps: dict[uuid.UUID, RequestedSweep] = field(default_factory=dict)
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
            copies = tuple(self._reread_copy(file, each) if each.place.id in required else each for each in copies)
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

    def _reread_copy(self, file: FileEvidence, copy: Copy) -> Copy:
        """The copy as it is on record from now on; a place that isn't there damages nothing."""
        if not copy.is_completed or file.sha256 is None:
            return copy
        archived = ArchivedCopy(
            copy.transfer_id,
            file.file_id,
            copy.path,
            file.source_path,
            file.size_bytes,
            file.sha256,
            copy.last_reread_at,
        )
        try:
            answer = self._sweep(copy.place.id).reread(archived)
        except StorageError as error:
            return replace(copy, not_reread=str(error))
        place = replace(copy.place, held=answer.held or copy.place.held)
        return replace(copy, place=place, last_reread_at=answer.at, damage=answer.damage)

    def _sweep(self, location_id: uuid.UUID) -> RequestedSweep:
        if location_id not in self._sweeps:
            with self.facility.sessions() as session:
                location = session.get_one(StorageLocation, location_id)
            self._sweeps[location_id] = RequestedSweep(self.facility, location)
        return self._sweeps[location_id]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the share, and end the sweeps; those that an error cut short stay without an end, as any sweep."""
        self._resources.close()
        if kind is None:
            for sweep in self._sweeps.values():
                sweep.end()
