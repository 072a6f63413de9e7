"""Checks of the archive, and of the source, when a certificate is drawn up.

``Archive`` finds out whether each storage location is the marked place, and whether each copy exists there as it was
archived. No file is read. A location that does not answer in time is in trouble: a call to a network mount whose server
is gone may never return. ``Rereader`` reads the bytes again now, if asked for: at the source, over one connection,
within the instrument's hours and at its pace; or in the archive, by a sweep over the storage location, with the results
on record as with any other. No database session is open during either.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import TypeVar

from streamweave.catalog.tables import Instrument, StorageLocation
from streamweave.errors import (
    FileChanged,
    SourceError,
    SourceFileError,
    StorageError,
    StorageRefused,
    StorageUnavailable,
)
from streamweave.facility import Facility
from streamweave.harvest.copy_verify import Digest, digest_of
from streamweave.harvest.rate_limit import Pace, closed_until, limits_of
from streamweave.preservation.certificates.evidence import CopyEvidence, CopyFound, FileEvidence, Reread, Trouble
from streamweave.preservation.reread import ArchivedCopy
from streamweave.preservation.sweep import OnDemandCheck
from streamweave.sources.base import Source
from streamweave.storage.base import CopyStat, Storage
from streamweave.storage.marking import answered_anew

OpenMarked = Callable[[StorageLocation], Storage]
"""Opens a storage location and compares its mark. Raises ``StorageError``."""
ANSWERS_WITHIN_SECONDS = 60.0
"""For a mark, and for each batch of copies: a slow server may take 30 ms for each of 2,000, or start disks first."""

Answer = TypeVar("Answer")


@dataclass
class Archive:
    """The storage locations that a certificate relies on.

    Each is opened, and its mark compared, when its first copy is asked for. One that is in trouble once is not asked
    again: its ``troubles`` count against every copy in it. ``in_full`` keeps the addresses on the server in what is
    said about errors, which is for admins.
    """

    locations: Mapping[uuid.UUID, StorageLocation]
    open_marked: OpenMarked
    in_full: bool
    troubles: dict[uuid.UUID, Trouble] = field(default_factory=dict)
    _storages: dict[uuid.UUID, Storage] = field(default_factory=dict)
    _found: Counter[uuid.UUID] = field(default_factory=Counter)

    def find_copies(
        self, files: Iterable[FileEvidence], destinations: Collection[uuid.UUID]
    ) -> dict[uuid.UUID, CopyFound]:
        """What exists at the place of each copy that these files rely on, by the transfer that made it."""
        asked: defaultdict[uuid.UUID, dict[uuid.UUID, str]] = defaultdict(dict)
        for file in files:
            for copy in file.copies if file.gone_at is None else ():
                if copy.is_completed and (file.is_redirected or copy.place.id in destinations):
                    asked[copy.place.id][copy.transfer_id] = copy.path
        found: dict[uuid.UUID, CopyFound] = {}
        for location_id, paths in asked.items():
            found.update(zip(paths, self._find_in(location_id, list(paths.values())), strict=False))
        return found

    def is_still_there(self) -> bool:
        """Compare all marks again; False when a location is in trouble by now in which copies were found before."""
        for location_id in self._found.keys() - self.troubles.keys():
            self._open(location_id)
        return not self._found.keys() & self.troubles.keys()

    def begin_again(self) -> None:
        """Forget all copies that were found; troubles stay."""
        self._found.clear()
        self._storages.clear()

    def summary(self) -> Iterator[dict[str, object]]:
        """Each location with the number of copies that were found in it, and its trouble."""
        for location in sorted(self.locations.values(), key=lambda each: each.name):
            trouble = self.troubles.get(location.id)
            if trouble or location.id in self._found:
                yield {
                    "name": location.name,
                    "copies": self._found[location.id],
                    "trouble": trouble and trouble.sentence,
                }

    def _find_in(self, location_id: uuid.UUID, paths: list[str]) -> list[CopyFound]:
        storage = self._storages.get(location_id) or self._open(location_id)
        if storage is None:
            return []
        try:
            found = self._answered(location_id, partial(storage.stat_many, paths))
        except StorageError as error:
            self._is_in_trouble(location_id, error)
            del self._storages[location_id]
            return []
        self._found[location_id] += sum(isinstance(each, CopyStat) for each in found)
        return found if self.in_full else [_without_address(each) for each in found]

    def _open(self, location_id: uuid.UUID) -> Storage | None:
        if location_id in self.troubles or location_id not in self.locations:
            return None
        try:
            opened = self._answered(location_id, partial(self.open_marked, self.locations[location_id]))
        except StorageError as error:
            self._is_in_trouble(location_id, error)
            return None
        self._storages[location_id] = opened
        return opened

    def _answered(self, location_id: uuid.UUID, question: Callable[[], Answer]) -> Answer:
        try:
            return answered_anew(f"copies in {location_id}", question, ANSWERS_WITHIN_SECONDS)
        except TimeoutError as error:
            place = self.locations[location_id].base_path
            raise StorageUnavailable(f"{place} did not answer in time: is its server there?") from error

    def _is_in_trouble(self, location_id: uuid.UUID, error: StorageError) -> None:
        sentence = str(error) if self.in_full else f"its administrators can see why ({error.kind()})"
        self.troubles[location_id] = Trouble(isinstance(error, StorageRefused), sentence)


def _without_address(found: CopyFound) -> CopyFound:
    if isinstance(found, StorageError):
        return type(found)(f"its administrators can see why ({found.kind()})")
    return found


@dataclass
class Rereader(AbstractContextManager["Rereader"]):
    """Reads files of one instrument again. ``on_file`` gets each path before it is read."""

    facility: Facility
    instrument: Instrument
    source: bool
    archive: bool
    on_file: Callable[[str], None] = lambda path: None
    _sweeps: dict[uuid.UUID, OnDemandCheck] = field(default_factory=dict)
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
        except SourceError as error:  # the share as a whole: it is not tried again, file by file
            self._lost = f"{error.kind()}: {error}"
            return Reread(self.facility.now(), error=self._lost)
        return Reread(self.facility.now(), digest.size_bytes, digest.sha256)

    def _of_source(self, file: FileEvidence) -> Digest:
        """Raises ``FileChanged`` unless it is, before and after, as the catalog has it."""
        with self._connection().open(file.source_path) as opened:
            before = opened.now()
            digest = digest_of(opened.chunks(), self._pace.take)
            after = opened.now()
        for found in (before, after):
            if (found.size_bytes, found.mtime) != (file.size_bytes, file.source_mtime):
                raise FileChanged(f"{found.size_bytes} bytes of {found.mtime:%Y-%m-%d %H:%M:%S}")
        return digest

    def _connection(self) -> Source:
        self._source = self._source or self.facility.open_source(self.instrument)
        return self._source

    def _reread_copy(self, file: FileEvidence, copy: CopyEvidence) -> CopyEvidence:
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
        sweep = self._sweep(copy.place.id)
        try:
            check, at = sweep.reread(archived)
        except StorageError as error:
            return replace(copy, not_reread=str(error))
        place = replace(copy.place, held=sweep.held or copy.place.held)
        return replace(copy, place=place, last_reread_at=at, damage=check.found)

    def _sweep(self, location_id: uuid.UUID) -> OnDemandCheck:
        if location_id not in self._sweeps:
            with self.facility.sessions() as session:
                location = session.get_one(StorageLocation, location_id)
            self._sweeps[location_id] = OnDemandCheck(self.facility, location)
        return self._sweeps[location_id]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the share, and end the sweeps; those that an error interrupted stay without an end, as any sweep."""
        if self._source is not None:
            self._source.close()
        if kind is None:
            for sweep in self._sweeps.values():
                sweep.end()
