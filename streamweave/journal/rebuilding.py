"""Rebuilding: a new catalog from the journals of storage locations alone, when catalog and backups are lost.

It is a readoption into an empty catalog that takes over the identity of the lost one, which the marks of the places
name. So the places go on to belong to it. What could not be read is read when the same is done again.
"""

import posixpath
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from streamweave.catalog.schema import catalog_id
from streamweave.catalog.tables import CatalogIdentity, FileRecord, Instrument, StorageLocation
from streamweave.errors import Conflict, InvalidInput, StorageError
from streamweave.facility import Facility
from streamweave.instruments.addresses import NO_ADDRESS
from streamweave.journal.entries import Reader
from streamweave.journal.readoption import Readoption, readopt
from streamweave.storage.base import Journal, Storage
from streamweave.storage.marks import Mark, NoMark

Listener = Callable[[Readoption], None]

NOT_IN_JOURNALS = (
    "users, groups, projects and grants: every file is private to admins until access is given again",
    "service accounts, schedules and hooks",
    "metadata, owners and withdrawals of files: hooks find anew what they can",
    "files that were never archived, and what the catalog said of sources that are gone",
    "certificates, re-readings, alerts and the audit log",
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was found in each place. ``unread`` are sentences about what could not be read."""

    catalog_id: uuid.UUID
    readoptions: list[Readoption]
    unread: list[str]

    @property
    def instruments(self) -> list[str]:
        """The slugs of the instruments: they are disabled until somebody enters where they are."""
        return [slug for readoption in self.readoptions for slug in readoption.instruments]


@dataclass(frozen=True, slots=True)
class _Place:
    location: StorageLocation
    storage: Storage
    mark: Mark


def rebuild(
    facility: Facility, locations: Sequence[StorageLocation], on_progress: Listener = lambda readoption: None
) -> Rebuilt:
    """Fill an empty catalog, or one that such a rebuild has begun to fill, from the journals at these places.

    A location without a name gets the one that its journal names. Raises ``Conflict`` for a catalog that is not empty,
    ``InvalidInput`` for a place without a mark or with that of another catalog, and ``StorageError`` before anything is
    in the catalog; a storage that fails later on is ``unread``.
    """
    places = [_place(facility, location) for location in locations]
    ours = _common_catalog(places)
    with facility.sessions.begin() as session:
        if not _was_begun(session, ours):
            _expect_empty(session)
        session.execute(update(CatalogIdentity).values(id=ours))
        for place in places:
            place.location.id, place.location.marked_at = place.mark.location_id, place.mark.made_at
            place.location.name = _free_name(session, place, ours)
            session.merge(place.location)
    rebuilt = Rebuilt(ours, [], [])
    for place in places:
        _read(facility, place, on_progress, rebuilt)
    return rebuilt


def _read(facility: Facility, place: _Place, on_progress: Listener, rebuilt: Rebuilt) -> None:
    try:
        readoption = readopt(facility, place.location, place.storage, on_progress, of_all_days=True)
        if readoption is not None:
            rebuilt.readoptions.append(readoption)
        elif place.storage.journal(rebuilt.catalog_id).head() is None and next(place.storage.paths(), None):
            rebuilt.unread.append(f"{place.location.base_path}: no journal says what the files there are")
    except StorageError as error:
        rebuilt.unread.append(f"{place.location.base_path}: {error}")


def is_without_address(instrument: Instrument) -> bool:
    """Whether an instrument came from a journal, and nobody has entered where it is."""
    return instrument.cifs_host == NO_ADDRESS


def _place(facility: Facility, location: StorageLocation) -> _Place:
    try:
        storage = facility.open_storage(location)
        found = storage.found_mark()
        if found is NoMark.NO_FOLDER:
            raise InvalidInput("place", f"{location.base_path}: no such folder; is the disk mounted?")
        if not isinstance(found, Mark):
            raise InvalidInput("place", f"{location.base_path} has no mark that names its catalog ({found})")
        storage.check_mark(found)
    except StorageError as error:
        raise InvalidInput("place", str(error)) from error
    return _Place(location, storage, found)


def _common_catalog(places: Sequence[_Place]) -> uuid.UUID:
    first = places[0]
    seen: dict[uuid.UUID, str] = {}
    for place in places:
        at = place.location.base_path
        if place.mark.catalog_id != first.mark.catalog_id:
            raise InvalidInput("place", f"{at} and {first.location.base_path} belong to different catalogs")
        if place.mark.location_id in seen:
            raise InvalidInput("place", f"{at} is the same storage location as {seen[place.mark.location_id]}")
        seen[place.mark.location_id] = at
    return first.mark.catalog_id


def _was_begun(session: Session, ours: uuid.UUID) -> bool:
    """Whether the catalog holds only what a rebuild of these places puts there: no instrument has a host yet."""
    has_a_host = select(Instrument.id).where(Instrument.cifs_host != NO_ADDRESS)
    return catalog_id(session) == ours and not session.scalar(select(has_a_host.exists()))


def _expect_empty(session: Session) -> None:
    for table in (FileRecord, Instrument, StorageLocation):
        if session.scalar(select(exists(select(table.id)))):
            raise Conflict(f"the catalog is not empty: it has {table.__tablename__.replace('_', ' ')}; use a new one")


def _free_name(session: Session, place: _Place, ours: uuid.UUID) -> str:
    """The name that was given, or that its journal names; the place itself where another location has that name."""
    name = place.location.name or _name_in_journal(place, ours)
    taken = select(StorageLocation.id).where(StorageLocation.name == name, StorageLocation.id != place.location.id)
    return place.location.base_path if session.scalar(select(taken.exists())) else name


def _name_in_journal(place: _Place, ours: uuid.UUID) -> str:
    """As the newest journal names it, else as its folder is called."""
    journal: Journal = place.storage.journal(ours)
    for name in reversed(journal.sizes()):
        reader = Reader()
        next(reader.entries(journal.read(name)), None)
        for heading in reader.headings.values():
            return heading.location_name
    return posixpath.basename(place.location.base_path)
