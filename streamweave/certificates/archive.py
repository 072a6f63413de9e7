"""Asking the archive: is each storage location the marked place, and does each copy exist there as it was archived?

No file is read, and no database session is open meanwhile. A location that does not answer in time is in trouble: a
question to a network mount whose server is gone may never return.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from streamweave.catalog.tables import StorageLocation
from streamweave.certificates.evidence import CopyFound, FileEvidence, Trouble
from streamweave.errors import StorageError, StorageRefused, StorageUnavailable
from streamweave.storage.base import CopyStat, Storage
from streamweave.storage.marking import answered_anew

OpenMarked = Callable[[StorageLocation], Storage]
"""Opens a storage location and compares its mark. Raises ``StorageError``."""
ANSWERS_WITHIN_SECONDS = 60.0
"""For its mark, and for each batch of copies: a slow server may take 30 ms for each of 2,000, or start disks first."""

Answer = TypeVar("Answer")


class Archive:
    """The storage locations that a certificate relies on.

    Each is opened, and its mark compared, when its first copy is asked for. One that is in trouble once is not asked
    again: its ``troubles`` count against every copy in it. ``in_full`` keeps the addresses on the server in what is
    said about errors, which is for admins.
    """

    def __init__(
        self, locations: Mapping[uuid.UUID, StorageLocation], open_marked: OpenMarked, *, in_full: bool
    ) -> None:
        self.troubles: dict[uuid.UUID, Trouble] = {}
        self._locations = locations
        self._open_marked = open_marked
        self._in_full = in_full
        self._storages: dict[uuid.UUID, Storage] = {}
        self._found: Counter[uuid.UUID] = Counter()

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
        for location in sorted(self._locations.values(), key=lambda each: each.name):
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
        return found if self._in_full else [_without_address(each) for each in found]

    def _open(self, location_id: uuid.UUID) -> Storage | None:
        if location_id in self.troubles or location_id not in self._locations:
            return None
        try:
            opened = self._answered(location_id, partial(self._open_marked, self._locations[location_id]))
        except StorageError as error:
            self._is_in_trouble(location_id, error)
            return None
        self._storages[location_id] = opened
        return opened

    def _answered(self, location_id: uuid.UUID, question: Callable[[], Answer]) -> Answer:
        try:
            return answered_anew(f"copies in {location_id}", question, ANSWERS_WITHIN_SECONDS)
        except TimeoutError as error:
            place = self._locations[location_id].base_path
            raise StorageUnavailable(f"{place} did not answer in time: is its server there?") from error

    def _is_in_trouble(self, location_id: uuid.UUID, error: StorageError) -> None:
        sentence = str(error) if self._in_full else f"its administrators can see why ({error.kind()})"
        self.troubles[location_id] = Trouble(isinstance(error, StorageRefused), sentence)


def _without_address(found: CopyFound) -> CopyFound:
    if isinstance(found, StorageError):
        return type(found)(f"its administrators can see why ({found.kind()})")
    return found
