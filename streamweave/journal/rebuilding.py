"""Rebuilding: a new catalog from the journals of storage locations alone, when catalog and backups are lost.

It is a readoption into an empty catalog that takes over the identity of the lost one, which the locations' marks name,
so that the locations still belong to it. What could not be read is read when the same is done again.
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
from streamweave.instruments.fields import NO_ADDRESS
from streamweave.journal.entries import Reader
from streamweave.journal.readoption import Readoption, readopt
from streamweave.storage.base import Journal, Storage
from streamweave.storage.marks import Mark, NoMark

Listener = Callable[[Readoption], None]

NOT_IN_JOURNALS = (
    "users, groups, projects and grants: every file is private to admins until access is given again",
    "service accounts, schedules and hooks",
    "metadata, owners and withdrawals of files: hooks find anew what they can",
    "files that were never archived, and what the catalog recorded of sources that are gone",
    "certificates, re-readings, alerts and the audit log",
    "of each instrument what journals do not name, which is back at its default: description, location, "
    "quiet_period_seconds, poll_interval_seconds, max_wait_seconds, acquisition_depth, marker_name, marker_suffix, "
    "growing_files, transfer_config and the other settings",
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was found in each location. ``unread`` are sentences about what could not be read."""

    catalog_id: uuid.UUID
    readoptions: list[Readoption]
    unread: list[str]

    @property
    def instruments(self) -> list[str]:
        """The slugs of the instruments: they are disabled until their address is entered."""
        return [slug for readoption in self.readoptions for slug in readoption.instruments]


@dataclass(frozen=True, slots=True)
class _MarkedLocation:
    location: StorageLocation
    storage: Storage
    mark: Mark


def rebuild(
    facility: Facility, locations: Sequence[StorageLocation], on_progress: Listener = lambda readoption: None
) -> Rebuilt:
    """Fill an empty catalog, or one that such a rebuild has begun to fill, from the journals of these locations.

    A location without a name gets the one that its journal names. Raises ``Conflict`` for a catalog that is not empty,
    ``InvalidInput`` for a location without a mark or with that of another catalog, and ``StorageError`` before anything
    is in the catalog; a storage that fails later is ``unread``.
    """
    marked_locations = [_marked(facility, location) for location in locations]
    ours = _common_catalog(marked_locations)
    with facility.sessions.begin() as session:
        if not _was_begun(session, ours):
            _expect_empty(session)
        session.execute(update(CatalogIdentity).values(id=ours))
        for marked in marked_locations:
            marked.location.id, marked.location.marked_at = marked.mark.location_id, marked.mark.made_at
            marked.location.name = _free_name(session, marked, ours)
            session.merge(marked.location)
    rebuilt = Rebuilt(ours, [], [])
    for marked in marked_locations:
        _read(facility, marked, on_progress, rebuilt)
    return rebuilt


def _read(facility: Facility, marked: _MarkedLocation, on_progress: Listener, rebuilt: Rebuilt) -> None:
    try:
        readoption = readopt(facility, marked.location, marked.storage, on_progress, of_all_days=True)
        if readoption is not None:
            rebuilt.readoptions.append(readoption)
        elif marked.storage.journal(rebuilt.catalog_id).head() is None and next(marked.storage.paths(), None):
            rebuilt.unread.append(f"{marked.location.base_path}: no journal says what the files there are")
    except StorageError as error:
        rebuilt.unread.append(f"{marked.location.base_path}: {error}")


def is_without_address(instrument: Instrument) -> bool:
    """Whether an instrument came from a journal, and its address was not entered yet."""
    return instrument.cifs_host == NO_ADDRESS


def _marked(facility: Facility, location: StorageLocation) -> _MarkedLocation:
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
    return _MarkedLocation(location, storage, found)


def _common_catalog(marked_locations: Sequence[_MarkedLocation]) -> uuid.UUID:
    first = marked_locations[0]
    seen: dict[uuid.UUID, str] = {}
    for marked in marked_locations:
        at = marked.location.base_path
        if marked.mark.catalog_id != first.mark.catalog_id:
            raise InvalidInput("place", f"{at} and {first.location.base_path} belong to different catalogs")
        if marked.mark.location_id in seen:
            raise InvalidInput("place", f"{at} is the same storage location as {seen[marked.mark.location_id]}")
        seen[marked.mark.location_id] = at
    return first.mark.catalog_id


def _was_begun(session: Session, ours: uuid.UUID) -> bool:
    """Whether the catalog holds only what a rebuild of these locations puts there: no instrument has a host yet."""
    has_a_host = select(Instrument.id).where(Instrument.cifs_host != NO_ADDRESS)
    return catalog_id(session) == ours and not session.scalar(select(has_a_host.exists()))


def _expect_empty(session: Session) -> None:
    for table in (FileRecord, Instrument, StorageLocation):
        if session.scalar(select(exists(select(table.id)))):
            raise Conflict(f"the catalog is not empty: it has {table.__tablename__.replace('_', ' ')}; use a new one")


def _free_name(session: Session, marked: _MarkedLocation, ours: uuid.UUID) -> str:
    """The name that was given, or that its journal names; the base path if another location has that name."""
    name = marked.location.name or _name_in_journal(marked, ours)
    taken = select(StorageLocation.id).where(StorageLocation.name == name, StorageLocation.id != marked.location.id)
    return marked.location.base_path if session.scalar(select(taken.exists())) else name


def _name_in_journal(marked: _MarkedLocation, ours: uuid.UUID) -> str:
    """As the newest journal names it, else the name of its folder."""
    journal: Journal = marked.storage.journal(ours)
    for name in reversed(journal.sizes()):
        reader = Reader()
        next(reader.entries(journal.read(name)), None)
        for heading in reader.headings.values():
            return heading.location_name
    return posixpath.basename(marked.location.base_path)
