"""The storage locations of one harvest: opened, found to be what they were, and swept of what dead runs left behind."""

import uuid
from collections.abc import Collection, Mapping
from datetime import date

from streamweave.catalog.tables import Instrument
from streamweave.errors import StorageError
from streamweave.facility import Facility
from streamweave.harvest.claims import due_locations, early_names_of_ours, staged_names_under_way
from streamweave.journal.readoption import readopt
from streamweave.storage.base import Storage


def open_destinations(
    facility: Facility,
    instrument: Instrument,
    days: Collection[date] | None,
    opened: Mapping[uuid.UUID, Storage],
) -> tuple[dict[uuid.UUID, Storage], list[StorageError]]:
    """The storage locations into which transfers are due, ready for writing; and what is wrong with the others.

    What their journals know and the catalog does not is taken in before anything is written to them, lest it come
    before what is written now. Those that the run has ``opened`` before are not put to the test again: many requests
    where they are far away.
    """
    with facility.sessions() as session:
        locations = due_locations(session, instrument.id, facility.now(), days)
    ready = {location.id: opened[location.id] for location in locations if location.id in opened}
    troubles: list[StorageError] = []
    for location in locations:
        if location.id in ready:
            continue
        try:
            storage = facility.open_marked(location, to_write=True)
            sweep(facility, location.id, storage)
            readopt(facility, location, storage)
        except StorageError as error:
            troubles.append(error)
        else:
            ready[location.id] = storage
    return ready, troubles


def sweep(facility: Facility, storage_location_id: uuid.UUID, storage: Storage) -> int:
    """Remove this catalog's staged files that belong to no transfer under way; returns how many.

    Of files from before each catalog staged apart only those that are known to be ours are removed.
    The names are listed before the claims are read: whoever stages a file has claimed its transfer before.
    """
    staged, early = storage.staged_names(), storage.early_staged_names()
    with facility.sessions() as session:
        under_way = staged_names_under_way(session, storage_location_id)
        ours = early_names_of_ours(session, early) if early else set()
    stale = [name for name in staged if name not in under_way]
    for name in stale:
        storage.discard(name)
    for name in ours:
        storage.discard_early(name)
    return len(stale) + len(ours)
